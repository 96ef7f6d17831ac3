// npm run event-loop: how long the event loop is held up when RSA signs, on two cores: at 70 % of what each server can do,
// and for all at the rate at which the slowest does 70 %.
import { parseArgs } from 'node:util'
import { load } from './load.js'
import { percentile } from './measure.js'
import { measuredOn, table, withRatio, writeSection } from './report.js'
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
  const [own, common] = [0, 0].map(() => ({ delays: [], latencies: [] }))
  runs.push({ name, title, server, tokens, maxima: [], own, common })
}
const most = ({ maxima }) => percentile(maxima, 0.5)
for (let repeat = 0; repeat < repeats; repeat++) {
  for (const run of runs) {
    const full = await load(run.server, scenario, run.tokens, { seconds: 1 })
    run.maxima.push(full.requests / full.seconds)
  }
  for (const run of runs) await takeTurn(run, 0.7 * most(run), run.own)
  for (const run of runs) await takeTurn(run, 0.7 * Math.min(...runs.map(most)), run.common)
  process.stderr.write('.')
}
process.stderr.write('\n')

const base = runs.find(({ name }) => name === 'hand-written')
const times = (run, at) => [
  withRatio(percentile(run[at].delays, 0.5), percentile(base[at].delays, 0.5), 1),
  withRatio(percentile(run[at].latencies, 0.99), percentile(base[at].latencies, 0.99), 1),
]
const common = (0.7 * Math.min(...runs.map(most))).toFixed(0)
const text = table([
  [
    'RS256 rotate',
    'requests/s at most',
    'at 70 % of it',
    'event-loop delay p99, ms',
    'response p99, ms',
    `at ${common} requests/s: event-loop delay p99, ms`,
    'response p99, ms',
  ],
  ...runs.map((run) => [
    run.title,
    withRatio(most(run), most(base)),
    (0.7 * most(run)).toFixed(0),
    ...times(run, 'own'),
    ...times(run, 'common'),
  ]),
])
console.log(text)
if (!given.quick) writeSection('event-loop', `${measuredOn(await setting.redis.version())}\n\n${text}`)
for (const { server } of runs) await server.stop()
await setting.stop()

async function takeTurn({ server, tokens }, rate, { delays, latencies }) {
  await server.measure()
  latencies.push(...(await load(server, scenario, tokens, { seconds, rate })).latencies)
  delays.push((await server.measured()).eventLoopDelayP99)
}
