import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { fixture } from '../support/fixture'
import { type RedisServer, startRedis } from '../support/redis-server'

let redis: RedisServer
let client: Redis

beforeAll(async () => {
  redis = await startRedis()
  client = new Redis(redis.url, { disconnectTimeout: 50 }).on('error', () => {})
})

afterAll(async () => {
  client.disconnect()
  await redis.stop()
})

describe('a Redis whose maxmemory-policy is not noeviction', () => {
  it.each([
    ['volatile-lru', '100mb', 'a URL'],
    ['allkeys-random', '100mb', "a client of the host's"],
    ['allkeys-lru', '0', 'a URL'],
  ])('is one warning at the start, and none later (%s, maxmemory %s, %s)', async (policy, limit, kind) => {
    await client.config('SET', 'maxmemory-policy', policy)
    await client.config('SET', 'maxmemory', limit)
    const server = fixture({ store: kind === 'a URL' ? redis.url : client })
    await server.tokens()
    await client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'no').catch(() => {})
    await delay(300) // until all are connected again
    await server.tokens()

    expect(server.eventsOf('warning')).toEqual([
      { type: 'warning', code: 'redis_may_evict', message: expect.stringContaining(policy) },
    ])
  })
})
