// npm run profile: where the time of a refresh goes, by a sampling profile of each server under load.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { load } from './load.js'
import { percentile, pinToLoadCore } from './measure.js'
import { measuredOn, table, writeSection } from './report.js'
import { SERVERS } from './scenarios.js'
import { openSetting, refreshTokens, scenarioNamed } from './setting.js'

const { values: given } = parseArgs({ options: { quick: { type: 'boolean', default: false } } })
const seconds = given.quick ? 2 : 5
const scenario = scenarioNamed('es256-rotate')

/** By the file, or the native function, that a sample was taken in; the first that fits. */
const PHASES = [
  [
    'two signatures',
    /internal\/crypto\/(sig|keys)|node_modules\/(jsonwebtoken|jws|jwa|ecdsa-sig|lodash)|\/tokens\/jws/,
  ],
  ['hashes, MACs, random', /internal\/crypto/],
  ['writes to sockets', /^(writev|writeUtf8String|writeLatin1String|writeBuffer)$|stream_base_commons/],
  ['Redis client', /node_modules\/(ioredis|@ioredis|standard-as-callback|denque|debug)|dist\/stores\/redis/],
  ['Express and its parts', /node_modules\/(?!express-rate-limit)/],
  ['the code itself', /\/dist\/|\/bench\/servers\/|express-rate-limit/],
  ['garbage collection', /^\(garbage collector\)$/],
  ['Node: HTTP, streams, timers, promises', /./],
]

pinToLoadCore()
const setting = await openSetting(scenario)
const servers = SERVERS.filter(({ name }) => ['floor', 'ours-bare', 'ours', 'hand-written'].includes(name))
const columns = []
for (const { name } of servers) {
  const directory = mkdtempSync(join(tmpdir(), 'profile-'))
  const nodeArguments = ['--cpu-prof', `--cpu-prof-dir=${directory}`]
  const server = await setting.start(name, {}, { nodeArguments })
  const tokens = await refreshTokens(server, scenario, 128)
  await load(server, scenario, tokens, { count: 6000 })
  await server.measure()
  await load(server, scenario, tokens, { seconds })
  const cpu = percentile((await server.measured()).slices, 0.1)
  await server.stop()
  const [file] = readdirSync(directory)
  columns.push(phasesOf(JSON.parse(readFileSync(join(directory, file), 'utf8')), cpu))
  rmSync(directory, { recursive: true })
}
const rows = PHASES.map(([phase]) => [phase, ...columns.map((times) => (times.get(phase) ?? 0).toFixed(0))])
const sums = columns.map((times) => [...times.values()].reduce((a, b) => a + b, 0).toFixed(0))
const text = table([['µs', ...servers.map(({ title }) => title)], ...rows, ['all', ...sums]])
console.log(text)
if (!given.quick) writeSection('profile', `${measuredOn(await setting.redis.version())}\n\n${text}`)
await setting.stop()

/** The busy samples of the time under load, by phase, in proportion to the CPU time of a request. */
function phasesOf({ nodes, samples, timeDeltas, startTime, endTime }, cpu) {
  const from = endTime - (seconds - 0.5) * 1e6
  const phaseOf = new Map(nodes.map(({ id, callFrame }) => [id, phaseOfFrame(callFrame)]))
  const times = new Map()
  let time = startTime
  for (const [i, id] of samples.entries()) {
    time += timeDeltas[i]
    const phase = phaseOf.get(id)
    if (time > from && phase) times.set(phase, (times.get(phase) ?? 0) + timeDeltas[i])
  }
  const all = [...times.values()].reduce((a, b) => a + b, 0)
  return new Map([...times].map(([phase, spent]) => [phase, (cpu * spent) / all]))
}

function phaseOfFrame({ functionName, url }) {
  if (functionName === '(idle)' || functionName === '(root)') return undefined
  return PHASES.find(([, pattern]) => pattern.test(url || functionName))?.[0]
}
