// The store on each way that Redis is deployed, against real servers: sentinels and a cluster, given as options or as a
// client of the host's own. What becomes of requests when a primary is lost, or slots move.
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { Cluster, Redis } from 'ioredis'
import type { Response } from 'supertest'
import { type RedisStoreOptions, redisStore } from '../../lib/stores/redis'
import type { TokenStore } from '../../lib/stores/token-store'
import { storeContract } from '../../lib/testing'
import { expectRefusal, expectUnavailable, type Fixture, fixture } from '../support/fixture'
import { type RedisCluster, startCluster } from '../support/redis-cluster'
import { type RedisSentinel, startSentinel } from '../support/redis-sentinel'
import { type RedisServer, until } from '../support/redis-server'

/** Milliseconds. */
const ANSWERED_WITHIN = 1500
const BACK_WITHIN = 2000

/** Clients of the host's own that have given up when their caller has: a code must not be spent after its 503. */
const HOSTS_OWN = { maxRetriesPerRequest: 0, autoResendUnfulfilledCommands: false, socketTimeout: 1000 }
const HOSTS_OWN_REDIS = {
  ...HOSTS_OWN,
  enableOfflineQueue: false,
  retryStrategy: () => 100,
  sentinelCommandTimeout: 500,
}
const HOSTS_OWN_CLUSTER = { retryDelayOnFailover: 0, maxRedirections: 5, redisOptions: HOSTS_OWN }

/** Refused for another reason than that the store does not answer. */
function refusals(server: Fixture): unknown[] {
  const reasons = server.eventsOf('request.refused').map(({ reason }) => `${reason}`)
  return reasons.filter((reason) => !/^store_|lost_race/.test(reason))
}

const opened: TokenStore[] = []
afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.close()))
})

function serverOn(redis: RedisStoreOptions | Redis | Cluster): Fixture {
  if ('status' in redis) return fixture({ store: redis })
  const store = redisStore(redis)
  opened.push(store)
  return fixture({ store })
}

/** Asks until it is answered with something else than 503, each time in time; that something, and how long it took. */
async function persist(ask: () => PromiseLike<Response>): Promise<{ response: Response; waited: number }> {
  const began = performance.now()
  for (;;) {
    const asked = performance.now()
    const response = await ask()
    expect(performance.now() - asked).toBeLessThan(ANSWERED_WITHIN)
    const waited = performance.now() - began
    if (response.status !== 503 || waited > 15_000) return { response, waited }
    expectUnavailable(response)
    await delay(20)
  }
}

interface Users {
  stop(): Promise<{ slowest: number; unavailable: number }>
}

/** Users who refresh again and again, each with the last token that they were given. */
async function startUsers(server: Fixture): Promise<Users> {
  const tokens = await Promise.all(Array.from({ length: 10 }, () => server.tokens()))
  let [slowest, unavailable, stopping] = [0, 0, false]
  const users = tokens.map(async ({ refresh_token }) => {
    for (let token = refresh_token; !stopping; await delay(20)) {
      const asked = performance.now()
      const { status, body } = await server.refresh(token)
      slowest = Math.max(slowest, performance.now() - asked)
      if (status === 200) token = body.refresh_token
      if (status === 503) unavailable++
    }
  })
  await delay(200)
  return {
    async stop() {
      stopping = true
      await Promise.all(users)
      return { slowest, unavailable }
    },
  }
}

/** A request of each kind, for a grant of its own. They settle, that is all. */
async function oneOfEach(server: Fixture): Promise<(() => PromiseLike<unknown>)[]> {
  const [code, { refresh_token: rotating }, { refresh_token: unwanted }, { refresh_token: kept }] =
    await Promise.all([server.code(), server.tokens(), server.tokens(), server.tokens({ client_id: 'web' })])
  const { grants } = server.oauth
  const settled = (promise: Promise<unknown>) => promise.catch(() => {})
  return [
    () => server.authorize(),
    () => server.exchange(code),
    () => server.refresh(rotating),
    () => server.post('/revoke', { client_id: 'spa', token: unwanted }),
    () => server.post('/introspect', { token: kept }).auth('web', 'web-secret'),
    () => settled(grants.list('bob')),
    () => settled(grants.revokeAll('bob')),
  ]
}

async function expectAnsweredInTime(requests: (() => PromiseLike<unknown>)[]): Promise<void> {
  const began = performance.now()
  const took = requests.map(async (ask) => {
    await ask()
    return performance.now() - began
  })
  expect(Math.max(...(await Promise.all(took)))).toBeLessThan(ANSWERED_WITHIN)
}

/** There is a primary again: a code from before is good, once, and nobody was refused. */
async function expectRecovered(server: Fixture, code: string, users: Users): Promise<void> {
  const { response, waited } = await persist(() => server.exchange(code))
  const { slowest, unavailable } = await users.stop()
  expect(refusals(server)).toEqual([])
  expect(response.status).toBe(200)
  expect(waited).toBeLessThan(BACK_WITHIN)
  expect(slowest).toBeLessThan(ANSWERED_WITHIN)
  expect(unavailable).toBeGreaterThan(0)
  expectRefusal((await persist(() => server.exchange(code))).response, 400, 'invalid_grant')
}

describe('sentinels', () => {
  let redis: RedisSentinel
  beforeAll(async () => {
    redis = await startSentinel()
  })
  afterAll(() => redis.stop())

  let hurt: RedisServer | undefined
  afterEach(async () => {
    if (hurt) await redis.healed()
    hurt = undefined
  })

  const named = (): RedisStoreOptions => ({ options: { sentinels: redis.sentinels, name: redis.name } })

  describe('the contract, by options, waiting for both replicas', () => {
    storeContract({
      describe,
      test,
      createStore: () =>
        redisStore({ ...named(), prefix: 'app:', waitForReplicas: { count: 2, timeoutSeconds: 1 } }),
    })
  })

  describe("the contract, on the host's own client, not waiting", () => {
    let client: Redis
    beforeAll(() => {
      client = new Redis({
        sentinels: redis.sentinels,
        name: redis.name,
        keyPrefix: 'host:',
        stringNumbers: true,
      })
    })
    afterAll(() => client.disconnect())
    storeContract({ describe, test, createStore: () => redisStore({ client }) })
  })

  test.each(['options', 'client'])(
    'the primary is killed: 503 in time, no grant is refused, and all is well as soon as there is another (by %s)',
    async (given) => {
      const own =
        given === 'client'
          ? new Redis({ sentinels: redis.sentinels, name: redis.name, ...HOSTS_OWN_REDIS })
          : undefined
      own?.on('error', () => {})
      const server = serverOn(own ?? named())
      const code = await server.code()
      const users = await startUsers(server)
      await redis.replicated()

      hurt = await redis.primary()
      await hurt.kill()
      try {
        await redis.failedOver(hurt)
        await expectRecovered(server, code, users)
      } finally {
        await hurt.restart()
      }

      await server.oauth.close()
      if (own) expect(await own.ping()).toBe('PONG')
      own?.disconnect()
    },
  )

  test('the primary is killed while a sentinel is frozen: the others are asked, and heard', async () => {
    const [watcher, ...others] = [...redis.watchers].reverse() as [RedisServer, ...RedisServer[]]
    const sentinels = [watcher, ...others].map(({ port }) => ({ host: '127.0.0.1', port }))
    const server = serverOn({ options: { sentinels, name: redis.name } })
    const code = await server.code()
    const users = await startUsers(server)
    await redis.replicated()

    hurt = await redis.primary()
    watcher.pause()
    await hurt.kill()
    try {
      await redis.failedOver(hurt, others)
      await expectRecovered(server, code, users)
    } finally {
      watcher.resume()
      await hurt.restart()
    }
  })

  test('the primary is frozen, and replaced: every request is answered in time, and it is not believed when it is back', async () => {
    const quiet = serverOn(named())
    const { refresh_token: before } = await quiet.tokens()
    const server = serverOn({ ...named(), waitForReplicas: { count: 1 } })
    const requests = await oneOfEach(server)
    const code = await server.code()
    await redis.replicated()
    const first = await redis.primary()
    hurt = first
    first.pause() // and `quiet` asks it for nothing meanwhile
    await expectAnsweredInTime(requests)
    await redis.failedOver(first)

    const { response: refreshed } = await persist(() => server.refresh(before))
    first.resume()
    const { response } = await persist(() => quiet.refresh(refreshed.body.refresh_token))
    expect(refusals(quiet)).toEqual([])
    expect(response.status).toBe(200)
    expect((await persist(() => quiet.exchange(code))).response.status).toBe(200)
    expect(quiet.eventsOf('grant.caught-up')).toEqual([])
  })
})

describe('a cluster', () => {
  let redis: RedisCluster
  beforeAll(async () => {
    redis = await startCluster()
  })
  afterAll(() => redis.stop())

  let hurt: RedisServer | undefined
  afterEach(async () => {
    if (hurt) await redis.healed()
    hurt = undefined
  })

  const named = (): RedisStoreOptions => ({
    cluster: { nodes: redis.nodes.slice(0, 2) },
    options: { stringNumbers: true },
  })

  describe('the contract, by nodes, waiting for the replica', () => {
    storeContract({
      describe,
      test,
      createStore: () =>
        redisStore({ ...named(), prefix: 'app:', waitForReplicas: { count: 1, timeoutSeconds: 1 } }),
    })
  })

  describe("the contract, on the host's own client: every operation keeps to one slot", () => {
    let client: Cluster
    beforeAll(async () => {
      client = new Cluster(redis.nodes, {
        enableAutoPipelining: true,
        keyPrefix: 'host:',
      })
      await once(client, 'ready')
    })
    afterAll(() => client.disconnect())
    storeContract({
      describe,
      test,
      createStore: () => redisStore({ client, waitForReplicas: { count: 1, timeoutSeconds: 1 } }),
    })
  })

  test("a client of the host's own that gives numbers as strings", async () => {
    const client = new Cluster(redis.nodes, { redisOptions: { stringNumbers: true } })
    const server = fixture({
      store: redisStore({ client, waitForReplicas: { count: 1, timeoutSeconds: 0.6 } }),
    })
    const { refresh_token } = await server.tokens()
    expect((await server.refresh(refresh_token)).status).toBe(200)
    expect(await server.oauth.grants.revokeAll('alice')).toBe(1)
    client.disconnect()
  })

  /** All grants of a user are in one slot. */
  async function primaryOf(server: Fixture): Promise<{ slot: number; primary: RedisServer }> {
    const [grant] = (await server.oauth.grants.list('alice')).grants
    const slot = await redis.slotOf(`{${grant?.id.slice(0, 4)}}`)
    return { slot, primary: (await redis.ownerOf(slot)).primary }
  }
  const failedOver = (slot: number, from: RedisServer) =>
    until('failed over', async () => (await redis.ownerOf(slot)).primary !== from)

  test.each(['nodes', 'client'])(
    'a primary is killed: 503 in time, no grant is refused, and all is well as soon as there is another (by %s)',
    async (given) => {
      const own = given === 'client' ? new Cluster(redis.nodes, HOSTS_OWN_CLUSTER) : undefined
      own?.on('error', () => {})
      const server = serverOn(own ?? named())
      const code = await server.code()
      const users = await startUsers(server)
      const { slot, primary } = await primaryOf(server)
      await redis.replicated(primary)

      hurt = primary
      await primary.kill()
      try {
        await failedOver(slot, primary)
        await expectRecovered(server, code, users)
      } finally {
        await primary.restart()
      }

      await server.oauth.close()
      if (own) expect(await own.get('none')).toBeNull()
      own?.disconnect()
    },
  )

  test('a primary is frozen, and replaced: every request is answered in time, and all is well without it', async () => {
    const server = serverOn(named())
    const waiting = serverOn({ ...named(), waitForReplicas: { count: 1 } })
    const requests = [...(await oneOfEach(server)), ...(await oneOfEach(waiting))]
    const code = await server.code()
    const users = await startUsers(server)
    const { slot, primary } = await primaryOf(server)
    await redis.replicated(primary)

    hurt = primary
    primary.pause()
    try {
      await expectAnsweredInTime(requests)
      await failedOver(slot, primary)
      await expectRecovered(server, code, users)
    } finally {
      primary.resume()
    }
  })
})

describe('options', () => {
  test.each([
    ['two places', { url: 'redis://127.0.0.1:1', cluster: { nodes: [] } }],
    ['a client and a place', { client: {} as Redis, url: 'redis://127.0.0.1:1' }],
    ['a client and options', { client: {} as Redis, options: {} }],
    ['sentinels and a URL', { url: 'redis://127.0.0.1:1', options: { sentinels: [], name: 'main' } }],
  ])('%s: a ConfigError', (_, options) => {
    expect(() => redisStore(options)).toThrow(expect.objectContaining({ code: 'bad_redis_options' }))
  })
})
