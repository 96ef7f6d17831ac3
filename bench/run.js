// npm run bench: every server through every scenario, interleaved, on one core, with the load on the other.
//
//   npm run bench                            all of it, about 17 minutes; writes the tables in docs/benchmarks.md
//   npm run bench -- --quick                 the same in less than 2 minutes, less exact; writes nothing
//   npm run bench -- --scenario es256-keep   one scenario; writes nothing
//   npm run bench -- --server ours           one server beside the hand-written one; writes nothing
import { stderr } from 'node:process'
import { parseArgs } from 'node:util'
import { countBytes, countCommands } from './census.js'
import { load } from './load.js'
import { generateKey, percentile, pinToLoadCore } from './measure.js'
import { startRedis } from './redis-server.js'
import { measuredOn, tablesOf, writeSection } from './report.js'
import { SCENARIOS, SERVERS } from './scenarios.js'
import { startServer } from './start-server.js'
import { verifyTokens } from './verify.js'

const { values: given } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    scenario: { type: 'string', multiple: true },
    server: { type: 'string', multiple: true },
  },
})
/** Processes of the same server differ by some percent, each for its whole life: so there are several of each. */
const processes = given.quick ? 1 : 3
const repeats = 3
const seconds = given.quick ? 0.3 : 1
const slice = given.quick ? 64 : 256
const warmUp = given.quick ? { count: 2500, seconds: 0.7 } : { count: 6000, seconds: 3 }
/** Redis keeps its keys in tables of a power of two: nearly full ones, for all alike. */
const grants = given.quick ? 500 : 8000
/** Tokens that one server works on at a time: four for each connection. */
const CHAINS = 128

const scenarios = SCENARIOS.filter(({ name }) => !given.scenario || given.scenario.includes(name))
const servers = SERVERS.filter(
  ({ name }) => !given.server || given.server.includes(name) || name === 'hand-written',
)

/** What is published is of one run. */
const published = !given.quick && !given.scenario && !given.server

pinToLoadCore()
const redis = await startRedis()
const results = {}
for (const scenario of scenarios) {
  const all = servers.filter(({ keeps }) => keeps !== false || scenario.step !== 'keep')
  results[scenario.name] = await runScenario(scenario, all)
}
console.log(tablesOf(results))
if (published) writeSection('table', `${measuredOn(await redis.version())}\n\n${tablesOf(results)}`)
await redis.stop()

async function runScenario(scenario, servers) {
  const { alg, step, client } = scenario
  const { pem, publicKey } = generateKey(alg)
  const options = {
    redisUrl: redis.url,
    pem,
    kid: 'bench',
    alg,
    keep: step === 'keep',
    clientId: client.clientId,
  }
  const runs = servers.map(({ name }) => ({
    name,
    slices: [],
    redisCpu: [],
    latencies: [],
    rates: [],
    memory: [],
  }))

  for (let process = 1; process <= processes; process++) {
    await redis.redis.flushall()
    for (const run of runs) {
      run.server = await startServer(run.name, options)
      run.issuer = given.quick ? run.server : await startServer(run.name, options)
      run.tokens = await prepare(run, scenario, warmUp.count)
      const warm = await load(run.server, scenario, run.tokens, warmUp)
      run.fastest = warm.requests / warm.seconds
    }
    for (let repeat = 0; repeat < repeats; repeat++) {
      for (const run of runs) await takeTurn(run, scenario, publicKey)
    }
    for (const run of runs) {
      run.memory.push(run.server.peakMemory())
      if (process === processes) run.census = await takeCensus(run.server, scenario)
      await run.server.stop()
      if (run.issuer !== run.server) await run.issuer.stop()
    }
  }
  stderr.write(` ${scenario.title}\n`)

  return Object.fromEntries(
    runs.map(({ name, slices, redisCpu, rates, latencies, memory, census }) => [
      name,
      {
        cpu: percentile(slices, 0.1),
        redisCpu: percentile(redisCpu, 0.5),
        rate: percentile(rates, 0.9),
        p50: percentile(latencies, 0.5),
        p99: percentile(latencies, 0.99),
        memory: percentile(memory, 0.5),
        ...census,
      },
    ]),
  )
}

async function takeTurn(run, scenario, publicKey) {
  if (scenario.step === 'code') {
    run.tokens = await prepare(run, scenario, Math.ceil(run.fastest * seconds * 1.5))
  }
  const before = await redis.cpu()
  await run.server.measure(slice)
  const done = await load(run.server, scenario, run.tokens, { seconds })
  const { slices } = await run.server.measured()
  const rate = done.requests / done.seconds
  run.slices.push(...slices)
  run.redisCpu.push(((await redis.cpu()) - before) * (1e6 / done.requests))
  run.latencies.push(...done.latencies)
  run.rates.push(rate)
  run.fastest = Math.max(run.fastest, rate)
  for (const sample of done.samples) verifyTokens(sample, scenario, publicKey)
  stderr.write('.')
}

async function takeCensus(server, scenario) {
  return {
    ...(await countCommands(server, scenario, redis)),
    ...(scenario.name === 'es256-rotate' && (await countBytes(server, scenario, redis, grants))),
  }
}

/**
 * Tokens for the requests of a scenario: codes, or the refresh tokens that codes were redeemed for. The codes are issued by
 * another process of the same server, hundreds at once, so that they count neither as its time nor as its memory.
 */
async function prepare({ server, issuer }, scenario, codes) {
  if (scenario.step === 'code') {
    await redis.redis.flushall()
    return issuer.issueCodes(subjects(codes))
  }
  const tokens = await issuer.issueCodes(subjects(CHAINS))
  await load(server, { ...scenario, step: 'code' }, tokens, {})
  return tokens
}

function subjects(count) {
  return Array.from({ length: count }, (_, i) => `user-${i}`)
}
