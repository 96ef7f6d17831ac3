// npm run bench: every server through every scenario, interleaved, on one core, with the load on the other.
//
//   npm run bench                            all of it, about 20 minutes; writes the table in docs/benchmarks.md
//   npm run bench -- --quick                 the same in less than 2 minutes, less exact; writes nothing
//   npm run bench -- --scenario es256-keep   one scenario; the others of the table stay as they were
//   npm run bench -- --server ours           one server beside the hand-written one; writes nothing
import { parseArgs } from 'node:util'
import { countBytes, countCommands } from './census.js'
import { load } from './load.js'
import { generateKey, percentile, pinToLoadCore } from './measure.js'
import { startRedis } from './redis-server.js'
import { keep, kept, measuredOn, tablesOf, writeSection } from './report.js'
import { SCENARIOS, SERVERS } from './scenarios.js'
import { startServer } from './start-server.js'
import { verifyTokens } from './verify.js'

const { values: given } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    scenario: { type: 'string', multiple: true },
    server: { type: 'string', multiple: true },
    repeats: { type: 'string' },
    seconds: { type: 'string' },
  },
})
const repeats = Number(given.repeats ?? (given.quick ? 3 : 9))
const seconds = Number(given.seconds ?? (given.quick ? 0.6 : 1.5))
const warmUp = given.quick ? 2500 : 8000
/** Redis keeps its keys in tables of a power of two: nearly full ones, for all alike. */
const grants = given.quick ? 2000 : 8000
/** Tokens that one server works on at a time: four for each connection. */
const CHAINS = 128

const scenarios = SCENARIOS.filter(({ name }) => !given.scenario || given.scenario.includes(name))
const servers = SERVERS.filter(
  ({ name }) => !given.server || given.server.includes(name) || name === 'hand-written',
)

const published = !given.quick && !given.server

pinToLoadCore()
const redis = await startRedis()
const results = {}
for (const scenario of scenarios) {
  const all = servers.filter(({ keeps }) => keeps !== false || scenario.step !== 'keep')
  results[scenario.name] = await runScenario(scenario, all)
  if (published) keep(scenario, results[scenario.name])
}
console.log(tablesOf(results))
if (published) writeSection('table', `${measuredOn(await redis.version())}\n\n${tablesOf(kept())}`)
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
  await redis.redis.flushall()

  const runs = []
  for (const { name } of servers) {
    const server = await startServer(name, options)
    const run = { name, server, tokens: [], slices: [], latencies: [], rates: [] }
    runs.push(run)
    run.tokens = await prepare(run, scenario, warmUp)
    const warm = await load(server, scenario, run.tokens, { count: warmUp })
    run.rate = warm.requests / warm.seconds
  }

  for (let repeat = 0; repeat < repeats; repeat++) {
    for (const run of runs) {
      if (step === 'code') run.tokens = await prepare(run, scenario, Math.ceil(run.rate * seconds * 1.5))
      await run.server.measure()
      const done = await load(run.server, scenario, run.tokens, { seconds })
      const { slices } = await run.server.measured()
      run.slices.push(...slices)
      run.latencies.push(...done.latencies)
      run.rates.push(done.requests / done.seconds)
      run.rate = Math.max(run.rate, done.requests / done.seconds)
      for (const sample of done.samples) verifyTokens(sample, scenario, publicKey)
      process.stderr.write('.')
    }
  }
  process.stderr.write(` ${scenario.title}\n`)

  const result = {}
  for (const run of runs) {
    result[run.name] = {
      cpu: percentile(run.slices, 0.1),
      rate: percentile(run.rates, 0.5),
      p50: percentile(run.latencies, 0.5),
      p99: percentile(run.latencies, 0.99),
      memory: run.server.peakMemory(),
      requests: run.latencies.length,
      ...(await countCommands(run.server, scenario, redis)),
      ...(scenario.name === 'es256-rotate' && (await countBytes(run.server, scenario, redis, grants))),
    }
    await run.server.stop()
  }
  return result
}

/** Tokens for the requests of a scenario: codes, or the refresh tokens that codes were redeemed for. */
async function prepare({ server }, scenario, codes) {
  if (scenario.step === 'code') {
    await redis.redis.flushall()
    return server.issueCodes(subjects(codes))
  }
  const tokens = await server.issueCodes(subjects(CHAINS))
  await load(server, { ...scenario, step: 'code' }, tokens, {})
  return tokens
}

function subjects(count) {
  return Array.from({ length: count }, (_, i) => `user-${i}`)
}
