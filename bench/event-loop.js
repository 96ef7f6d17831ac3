// npm run event-loop: how long the event loop is held up when RSA signs, at 70 % of what each server can do on two cores.
import { parseArgs } from 'node:util'
import { load } from './load.js'
import { percentile } from './measure.js'
import { measuredOn, table, writeSection } from './report.js'
import { SERVERS } from './scenarios.js'
import { openSetting, refreshTokens, scenarioNamed } from './setting.js'

const { values: given } = parseArgs({ options: { quick: { type: 'boolean', default: false } } })
const [repeats, seconds] = given.quick ? [2, 1] : [7, 3]
const scenario = scenarioNamed('rs256-rotate')
const servers = SERVERS.filter(({ name }) => ['ours-bare', 'ours', 'hand-written'].includes(name))

const setting = await openSetting(scenario)
const runs = []
for (const { name, title } of servers) {
  const server = await setting.start(name, {}, { cores: '0,1' })
  const tokens = await refreshTokens(server, scenario, 128)
  await load(server, scenario, tokens, { count: 2000 })
  runs.push({ title, server, tokens, maxima: [], delays: [], latencies: [] })
}
for (let repeat = 0; repeat < repeats; repeat++) {
  for (const run of runs) {
    const full = await load(run.server, scenario, run.tokens, { seconds: 1 })
    run.maxima.push(full.requests / full.seconds)
  }
  for (const run of runs) {
    await run.server.measure()
    const rate = 0.7 * percentile(run.maxima, 0.5)
    run.latencies.push(...(await load(run.server, scenario, run.tokens, { seconds, rate })).latencies)
    run.delays.push((await run.server.measured()).eventLoopDelayP99)
  }
  process.stderr.write('.')
}
process.stderr.write('\n')
const base = percentile(runs.at(-1).maxima, 0.5)
const rows = runs.map(({ title, maxima, delays, latencies }) => {
  const most = percentile(maxima, 0.5)
  return [
    title,
    `${most.toFixed(0)} · ${(most / base).toFixed(2)}`,
    (0.7 * most).toFixed(0),
    percentile(delays, 0.5).toFixed(1),
    percentile(latencies, 0.99).toFixed(1),
  ]
})
const text = table([
  ['RS256 rotate', 'requests/s at most', 'at 70 %', 'event-loop delay p99, ms', 'response p99, ms'],
  ...rows,
])
console.log(text)
if (!given.quick) writeSection('event-loop', `${measuredOn(await setting.redis.version())}\n\n${text}`)
for (const { server } of runs) await server.stop()
await setting.stop()
