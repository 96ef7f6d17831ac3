// npm run start-up: how long a process takes from its start to its first token, and what memory it has then.
import { parseArgs } from 'node:util'
import { load } from './load.js'
import { percentile, pinToLoadCore } from './measure.js'
import { measuredOn, table, withRatio, writeSection } from './report.js'
import { SERVERS } from './scenarios.js'
import { openSetting, scenarioNamed } from './setting.js'

const { values: given } = parseArgs({ options: { quick: { type: 'boolean', default: false } } })
const repeats = given.quick ? 2 : 9
const scenario = scenarioNamed('es256-code')
const servers = SERVERS.filter(({ name }) =>
  ['ours-bare', 'ours', 'hand-written', 'oidc-provider'].includes(name),
)

pinToLoadCore()
const setting = await openSetting(scenario)
const runs = servers.map(({ name, title }) => ({ name, title, times: [], memory: [] }))
for (let repeat = 0; repeat < repeats; repeat++) {
  for (const run of runs) {
    const started = performance.now()
    const server = await setting.start(run.name)
    await load(server, scenario, await server.issueCodes(['user-1']), { connections: 1 })
    run.times.push(performance.now() - started)
    run.memory.push(server.peakMemory() / 2 ** 20)
    await server.stop()
  }
}
const median = ({ times, memory }) => ({ time: percentile(times, 0.5), size: percentile(memory, 0.5) })
const base = median(runs.find(({ name }) => name === 'hand-written'))
const rows = runs.map((run) => {
  const { time, size } = median(run)
  return [run.title, withRatio(time, base.time), withRatio(size, base.size)]
})
const text = table([['', 'ms to the first token', 'MiB then'], ...rows])
console.log(text)
if (!given.quick) writeSection('start-up', `${measuredOn(await setting.redis.version())}\n\n${text}`)
await setting.stop()
