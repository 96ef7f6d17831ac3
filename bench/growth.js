// npm run growth: what a request costs this library, and a grant its Redis, as grants and clients become many. Each size has
// a server and a Redis of its own, and they take turns.
import { parseArgs } from 'node:util'
import { pinToLoadCore } from './measure.js'
import { measuredOn, table, writeSection } from './report.js'
import { openSetting, refreshTokens, scenarioNamed, takeTurns } from './setting.js'

const { values: given } = parseArgs({ options: { quick: { type: 'boolean', default: false } } })
const how = given.quick ? { repeats: 2, seconds: 0.5 } : { repeats: 7, seconds: 1 }
const scenario = scenarioNamed('es256-rotate')

pinToLoadCore()
const sizes = [
  { grants: 1000, clients: 1 },
  { grants: 10_000, clients: 1 },
  { grants: given.quick ? 50_000 : 1_000_000, clients: 1 },
  { grants: 1000, clients: 10_000 },
]
const runs = []
for (const size of sizes) {
  const setting = await openSetting(scenario)
  const clients = Array.from({ length: size.clients - 1 }, (_, i) => ({
    client_id: `client-${i}`,
    token_endpoint_auth_method: 'none',
    redirect_uris: [`https://client-${i}.example/callback`],
  }))
  const server = await setting.start('ours', { clients })
  const empty = await setting.redis.usedMemory()
  await server.fill(size.grants)
  const bytes = ((await setting.redis.usedMemory()) - empty) / size.grants
  runs.push({ ...size, setting, server, bytes, tokens: await refreshTokens(server, scenario, 128) })
}
const results = await takeTurns(runs, scenario, { ...how, redisOf: ({ setting }) => setting.redis })
const rows = results.map(({ cpu, redisCpu }, i) => {
  const { grants, clients, bytes } = runs[i]
  const first = results[0]
  return [
    grants.toLocaleString('en'),
    clients.toLocaleString('en'),
    // Of few grants it is mostly what Redis needs for itself.
    grants < 10_000 ? '' : Math.round(bytes),
    `${cpu.toFixed(0)} · ${(cpu / first.cpu).toFixed(2)}`,
    `${redisCpu.toFixed(0)} · ${(redisCpu / first.redisCpu).toFixed(2)}`,
  ]
})
const text = table([
  ['live grants', 'clients', 'bytes per grant', 'CPU of the server, µs', 'CPU of Redis, µs'],
  ...rows,
])
console.log(text)
if (!given.quick) writeSection('growth', `${measuredOn(await runs[0].setting.redis.version())}\n\n${text}`)
for (const { server, setting } of runs) {
  await server.stop()
  await setting.stop()
}
