// npm run user-grants: what it takes to list a user's grants and to end them, beside few and beside many others.
import { createPrivateKey } from 'node:crypto'
import { parseArgs } from 'node:util'
import { generateKey, percentile, pinToLoadCore } from './measure.js'
import { startRedis } from './redis-server.js'
import { measuredOn, table, writeSection } from './report.js'
import { startRouter } from './servers/router.js'

const { values: given } = parseArgs({ options: { quick: { type: 'boolean', default: false } } })
const OTHERS = [1000, given.quick ? 50_000 : 1_000_000]
const repeats = given.quick ? 20 : 200

pinToLoadCore()
const stores = []
for (const others of OTHERS) {
  const redis = await startRedis({ core: '0' })
  const privateKey = createPrivateKey(generateKey('ES256').pem)
  const router = await startRouter({ redisUrl: redis.url, privateKey, kid: 'bench', clientId: 'spa' })
  await router.fill(others)
  stores.push({ redis, ...router })
}

const rows = []
for (const count of [1, 10, 100]) {
  const times = stores.map(() => ({ list: [], revokeAll: [], commands: 0 }))
  for (let repeat = 0; repeat < repeats; repeat++) {
    for (const [i, { oauth, issueGrant }] of stores.entries()) {
      const subject = `owner-${count}-${repeat}`
      await Promise.all(Array.from({ length: count }, () => issueGrant(subject)))
      times[i].list.push(await timed(async () => (await oauth.grants.list(subject)).grants.length, count))
      times[i].revokeAll.push(await timed(() => oauth.grants.revokeAll(subject), count))
    }
  }
  const milliseconds = (name) => times.map((one) => percentile(one[name], 0.5).toFixed(2)).join(' / ')
  rows.push([count, milliseconds('list'), milliseconds('revokeAll')])
}
const beside = OTHERS.map((n) => n.toLocaleString('en')).join(' / ')
const text = table([
  ['grants of the user', `list, ms, beside ${beside}`, `end all, ms, beside ${beside}`],
  ...rows,
])
console.log(text)
if (!given.quick) writeSection('user-grants', `${measuredOn(await stores[0].redis.version())}\n\n${text}`)
for (const { oauth, redis } of stores) {
  await oauth.close()
  await redis.stop()
}

async function timed(operation, expected) {
  const started = performance.now()
  const count = await operation()
  const took = performance.now() - started
  if (count !== expected) throw new Error(`${count} grants instead of ${expected}`)
  return took
}
