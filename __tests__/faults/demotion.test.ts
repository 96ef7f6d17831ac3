// Behind one address another server becomes the primary, as managed services do it: by a name that leads elsewhere.
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { expectUnavailable, fixture } from '../support/fixture'
import { startRedis } from '../support/redis-server'
import { startProxy } from './tcp-proxy'

test('a primary that was demoted is left for the new one within 2 s, with no false invalid_grant', async () => {
  const [before, after] = [await startRedis(), await startRedis()]
  const proxy = await startProxy(before.port)
  const [old, promoted] = [new Redis(before.url), new Redis(after.url)]
  try {
    const server = fixture({ store: proxy.url })
    const { refresh_token } = await server.tokens()
    await promoted.replicaof('127.0.0.1', String(before.port))
    await until(async () => (await promoted.info('replication')).includes('master_link_status:up'))
    await until(async () => (await promoted.dbsize()) === (await old.dbsize()))

    await promoted.replicaof('NO', 'ONE')
    await old.replicaof('127.0.0.1', String(after.port))
    proxy.port = after.port
    const began = performance.now()

    let response = await server.refresh(refresh_token)
    while (response.status !== 200) {
      expectUnavailable(response)
      expect(performance.now() - began).toBeLessThan(2000)
      await delay(50)
      response = await server.refresh(refresh_token)
    }
  } finally {
    for (const admin of [old, promoted]) admin.disconnect()
    proxy.close()
    await Promise.all([before.stop(), after.stop()])
  }
})

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await delay(20)
}
