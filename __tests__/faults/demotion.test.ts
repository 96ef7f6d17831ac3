// Behind one address another server becomes the primary: a name that leads elsewhere, a proxy, a managed service. A
// connection that is open to the one before would stay there for good.
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { redisStore } from '../../lib'
import { expectUnavailable, type Fixture, fixture } from '../support/fixture'
import { openAdmin, type RedisServer, startRedis, until } from '../support/redis-server'
import { startProxy, type TcpProxy } from './tcp-proxy'

/** Milliseconds within which writes work again after the address leads to the new primary. */
const BACK_WITHIN = 2000

let [first, second] = [] as unknown as [RedisServer, RedisServer]
let proxy: TcpProxy
const { ask, close } = openAdmin()
beforeAll(async () => {
  first = await startRedis()
  second = await startRedis({ args: ['--replicaof', '127.0.0.1', `${first.port}`] })
  await until('replicated', async () => isReplicaOf(second))
})
beforeEach(async () => {
  proxy = await startProxy(first.port)
})
afterEach(() => proxy.close())
afterAll(async () => {
  close()
  await Promise.all([first.stop(), second.stop()])
})

const isReplicaOf = async (server: RedisServer) =>
  (await ask(server).info('replication')).includes('master_link_status:up')

/** Swaps the roles, with nothing lost. The address leads to where it led before. */
async function swapRoles(primary: RedisServer, replica: RedisServer): Promise<void> {
  await until('caught up', async () => {
    await ask(primary).set('caught up', '')
    return (await ask(primary).wait(1, 1000)) === 1
  })
  await ask(replica).replicaof('NO', 'ONE')
  await ask(primary).replicaof('127.0.0.1', String(replica.port))
  await until('replicated', () => isReplicaOf(primary))
}

async function untilWritable(server: Fixture, token: string): Promise<string> {
  const began = performance.now()
  for (;;) {
    const response = await server.refresh(token)
    if (response.status === 200) return response.body.refresh_token
    expectUnavailable(response)
    expect(performance.now() - began).toBeLessThan(BACK_WITHIN)
    await delay(20)
  }
}

describe.each([
  ['not waiting for replicas', undefined],
  ['waiting for one', { count: 1 }],
])('a primary that was demoted is left for the new one (%s)', (_, waitForReplicas) => {
  test('there, and back again', async () => {
    const connectionName = `demotion-${Math.random()}`
    const store = redisStore({ url: proxy.url, options: { connectionName }, waitForReplicas })
    const server = fixture({ store })
    let { refresh_token } = await server.tokens()

    for (const [primary, replica] of [
      [first, second],
      [second, first],
    ] as const) {
      await swapRoles(primary, replica)
      // As long as the address still leads to the replica, its connection is kept, and the address seldom looked at.
      const connections = proxy.connections
      const until = performance.now() + 1200
      while (performance.now() < until) expectUnavailable(await server.refresh(refresh_token))
      expect(proxy.connections - connections).toBeLessThanOrEqual(2)

      proxy.port = replica.port
      refresh_token = await untilWritable(server, refresh_token)
      const code = await server.code()
      expect((await server.exchange(code)).status).toBe(200)
      await leftBy(connectionName, primary)
    }
    await store.close()
    await leftBy(connectionName, first)
  })
})

test('also by a process that only reads: what a replica says may be old', async () => {
  const server = fixture({ store: redisStore({ url: proxy.url }) })
  const { refresh_token: token } = await server.tokens({ client_id: 'web' })
  const introspect = () => server.post('/introspect', { token }).auth('web', 'web-secret')
  await swapRoles(first, second)
  for (let i = 0; i < 5; i++) {
    expectUnavailable(await introspect())
    await expect(server.oauth.grants.list('alice')).rejects.toMatchObject({ status: 503 })
  }

  proxy.port = second.port
  await until('left', async () => (await introspect()).status === 200)
  expect((await introspect()).body.active).toBe(true)
  await swapRoles(second, first)
})

test('also one that has lost the new one, and may not say anything (replica-serve-stale-data no)', async () => {
  const server = fixture({ store: redisStore({ url: proxy.url }) })
  const { refresh_token } = await server.tokens()
  await swapRoles(first, second)
  await ask(first).config('SET', 'replica-serve-stale-data', 'no')
  await ask(first).replicaof('127.0.0.1', '1')
  expectUnavailable(await server.refresh(refresh_token))

  proxy.port = second.port
  await untilWritable(server, refresh_token)

  await ask(first).config('SET', 'replica-serve-stale-data', 'yes')
  await ask(first).replicaof('127.0.0.1', String(second.port))
  await until('replicated', () => isReplicaOf(first))
  await swapRoles(second, first)
})

/** Resolves when no connection of that name is open any more. */
async function leftBy(connectionName: string, server: RedisServer): Promise<void> {
  await until('left', async () => !String(await ask(server).client('LIST')).includes(connectionName))
}

test("a client of the host's own is the host's, whatever becomes of its server", async () => {
  const client = new Redis(proxy.url)
  const server = fixture({ store: client })
  const { refresh_token } = await server.tokens()
  await swapRoles(first, second)
  proxy.port = second.port
  for (let i = 0; i < 60; i++) {
    expectUnavailable(await server.refresh(refresh_token))
    await delay(20)
  }
  expect(proxy.connections).toBe(1)
  client.disconnect()
  await swapRoles(second, first)
})
