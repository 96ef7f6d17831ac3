// npm run memory: what decides how much memory a server takes: what is alive in its heap, what each refresh leaves in the
// old generation, and how large the heap is when V8 collects there.
import { parseArgs } from 'node:util'
import { load } from './load.js'
import { percentile, pinToLoadCore } from './measure.js'
import { measuredOn, table, writeSection } from './report.js'
import { SERVERS } from './scenarios.js'
import { openSetting, refreshTokens, scenarioNamed } from './setting.js'

const { values: given } = parseArgs({ options: { quick: { type: 'boolean', default: false } } })
const count = given.quick ? 5000 : 20_000
const scenario = scenarioNamed('es256-rotate')

/** As V8 prints it: what was in use before a collection and after it, in MiB. */
const COLLECTION = /: (Scavenge|Mark-Compact)\b.*? ([\d.]+) \([\d.]+\) -> ([\d.]+) \(/g

pinToLoadCore()
const setting = await openSetting(scenario)
const servers = SERVERS.filter(({ name }) => ['floor', 'ours-bare', 'ours', 'hand-written'].includes(name))
const rows = []
for (const { name, title } of servers) {
  let traced = ''
  const nodeArguments = ['--trace-gc', '--expose-gc']
  const server = await setting.start(name, {}, { nodeArguments, onOutput: (text) => (traced += text) })
  const issuer = await setting.start(name)
  const tokens = await refreshTokens(server, scenario, 128, issuer)
  await issuer.stop()
  await load(server, scenario, tokens, { count: 6000 })
  traced = ''
  await load(server, scenario, tokens, { count })
  const { left, grown } = readTrace(traced)
  const alive = (await server.live()) / 2 ** 20
  rows.push([title, alive.toFixed(1), ((left * 1024) / count).toFixed(1), grown?.toFixed(1) ?? 'none'])
  await server.stop()
}
const titles = ['', 'alive, MiB', 'a refresh leaves, KiB', 'heap at a collection, MiB']
const text = table([titles, ...rows])
console.log(text)
if (!given.quick) writeSection('memory', `${measuredOn(await setting.redis.version())}\n\n${text}`)
await setting.stop()

/** MiB that small collections left for the next big one, and the size of the heap when that came. */
function readTrace(traced) {
  let left = 0
  let last
  const sizes = []
  for (const [, kind, before, after] of traced.matchAll(COLLECTION)) {
    const isBig = kind === 'Mark-Compact'
    if (isBig) sizes.push(Number(before))
    else if (last !== undefined) left += Math.max(0, after - last)
    last = isBig ? undefined : Number(after)
  }
  return { left, grown: sizes.length > 0 ? percentile(sizes, 0.5) : undefined }
}
