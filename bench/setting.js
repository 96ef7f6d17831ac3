// What the measurements beside `npm run bench` begin with: a Redis, a key, servers, tokens.
import { load } from './load.js'
import { generateKey, percentile } from './measure.js'
import { startRedis } from './redis-server.js'
import { SCENARIOS } from './scenarios.js'
import { startServer } from './start-server.js'

export function scenarioNamed(name) {
  return SCENARIOS.find((scenario) => scenario.name === name)
}

/** What all servers of one measurement share, so that a token of one is a token of the other. */
export async function openSetting(scenario) {
  const { pem, publicKey } = generateKey(scenario.alg)
  const redis = await startRedis()
  const { alg, step, client } = scenario
  const options = {
    redisUrl: redis.url,
    pem,
    kid: 'bench',
    alg,
    keep: step === 'keep',
    clientId: client.clientId,
  }
  return {
    redis,
    publicKey,
    start: (name, more = {}, how = {}) => startServer(name, { ...options, ...more }, how),
    stop: () => redis.stop(),
  }
}

/** Refresh tokens of that many users, from codes that were redeemed. @param issuer Another process of the same server, or it. */
export async function refreshTokens(server, scenario, count, issuer = server) {
  const tokens = await issuer.issueCodes(Array.from({ length: count }, (_, i) => `user-${i}`))
  await load(server, { ...scenario, step: 'code' }, tokens, {})
  return tokens
}

/** Lets servers take turns under load, and tells of each what one request costs it. Each has `{ server, tokens }`. */
export async function takeTurns(runs, scenario, { repeats, seconds, redisOf = () => undefined }) {
  for (const run of runs) {
    Object.assign(run, { slices: [], redisCpu: [], rates: [] })
    await load(run.server, scenario, run.tokens, { count: 6000 })
  }
  for (let repeat = 0; repeat < repeats; repeat++) {
    for (const run of runs) {
      const redis = redisOf(run)
      const before = await redis?.cpu()
      await run.server.measure()
      const { requests, seconds: took } = await load(run.server, scenario, run.tokens, { seconds })
      run.slices.push(...(await run.server.measured()).slices)
      run.rates.push(requests / took)
      if (redis) run.redisCpu.push(((await redis.cpu()) - before) * (1e6 / requests))
      process.stderr.write('.')
    }
  }
  process.stderr.write('\n')
  return runs.map(({ slices, redisCpu, rates }) => ({
    cpu: percentile(slices, 0.1),
    redisCpu: percentile(redisCpu, 0.1),
    rate: percentile(rates, 0.5),
  }))
}
