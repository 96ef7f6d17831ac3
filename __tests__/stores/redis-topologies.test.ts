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
import type { RedisServer } from '../support/redis-server'

/** Milliseconds. */
const ANSWERED_WITHIN = 1500
const BACK_WITHIN = 2000

/** A client of the host's own that has given up when its caller has: a code must not be spent after its 503. */
const HOSTS_OWN = { retryDelayOnFailover: 0, maxRedirections: 5 }

/** Refused for another reason than that the store does not answer. */
function refusals(server: Fixture): unknown[] {
  const reasons = server.eventsOf('request.refused').map(({ reason }) => `${reason}`)
  return reasons.filter((reason) => !/^store_|lost_race/.test(reason))
}

const opened: TokenStore[] = []
afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.close()))
})

function serverOn(options: RedisStoreOptions): Fixture {
  const store = redisStore(options)
  opened.push(store)
  return fixture({ store })
}

/** Asks until it is answered with something else than 503, and within the time; that something, and how long it took. */
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

/** Users who refresh again and again, each with the last token that they were given. */
function startUsers(server: Fixture, tokens: string[]) {
  const refused: Response['body'][] = []
  let slowest = 0
  let [served, unavailable] = [0, 0]
  let stopping = false
  const users = tokens.map(async (first) => {
    for (let token = first; !stopping; await delay(20)) {
      const asked = performance.now()
      const { status, body } = await server.refresh(token)
      slowest = Math.max(slowest, performance.now() - asked)
      if (status === 200) {
        served++
        token = body.refresh_token
      } else if (status === 503) unavailable++
      else refused.push({ status, ...body })
    }
  })
  return {
    served: () => served,
    async stop() {
      stopping = true
      await Promise.all(users)
      return { refused, slowest, served, unavailable }
    },
  }
}

async function tokensFor(server: Fixture, users: number): Promise<string[]> {
  const all = await Promise.all(Array.from({ length: users }, () => server.tokens()))
  return all.map(({ refresh_token }) => refresh_token)
}

describe('sentinels', () => {
  let redis: RedisSentinel
  beforeAll(async () => {
    redis = await startSentinel()
  })
  afterAll(() => redis.stop())
  afterEach(() => redis.healed())

  const named = (): RedisStoreOptions => ({ options: { sentinels: redis.sentinels, name: redis.name } })

  describe('the contract, by options, waiting for both replicas', () => {
    storeContract({
      describe,
      test,
      createStore: () =>
        redisStore({ ...named(), prefix: 'app:', waitForReplicas: { count: 2, timeoutSeconds: 1 } }),
    })
  })

  async function killPrimary(): Promise<RedisServer> {
    const primary = await redis.primary()
    await primary.kill()
    return primary
  }

  test.each(['options', 'client'])(
    'the primary is killed: 503 in time, no grant is refused, and all is well as soon as there is another (by %s)',
    async (given) => {
      const own =
        given === 'client'
          ? new Redis({ sentinels: redis.sentinels, name: redis.name, maxRetriesPerRequest: 0 })
          : undefined
      own?.on('error', () => {})
      const server = serverOn(own ? { client: own } : named())
      const code = await server.code()
      const tokens = await tokensFor(server, 10)
      await redis.replicated()
      const users = startUsers(server, tokens)
      await delay(200)

      const killed = await killPrimary()
      await redis.failedOver(killed)
      const { response, waited } = await persist(() => server.exchange(code))
      const { slowest, unavailable } = await users.stop()
      expect(refusals(server)).toEqual([])
      expect(response.status).toBe(200)
      expect(waited).toBeLessThan(BACK_WITHIN)
      expect(slowest).toBeLessThan(ANSWERED_WITHIN)
      expect(unavailable).toBeGreaterThan(0)
      expectRefusal(await server.exchange(code), 400, 'invalid_grant')

      await opened.pop()?.close()
      if (own) expect(await own.ping()).toBe('PONG')
      own?.disconnect()
      await killed.restart()
    },
  )

  test('a primary that was frozen for as long as it took to replace it is not believed when it is back', async () => {
    const server = serverOn(named())
    const { refresh_token: before } = await server.tokens()
    const elsewhere = serverOn(named())
    await redis.replicated()
    const first = await redis.primary()
    first.pause() // and nobody asks it for anything meanwhile
    await redis.failedOver(first)

    const { refresh_token: since } = (await persist(() => elsewhere.refresh(before))).response.body
    const code = (await persist(() => elsewhere.authorize())).response.headers.location as string
    first.resume()
    const { response } = await persist(() => server.refresh(since))
    expect(refusals(server)).toEqual([])
    expect(response.status).toBe(200)
    const exchanged = await persist(() => server.exchange(new URL(code).searchParams.get('code') as string))
    expect(exchanged.response.status).toBe(200)
    expect(server.eventsOf('grant.caught-up')).toEqual([])
  })
})

describe('a cluster', () => {
  let redis: RedisCluster
  beforeAll(async () => {
    redis = await startCluster()
  })
  afterAll(() => redis.stop())

  const named = (): RedisStoreOptions => ({ cluster: { nodes: redis.nodes.slice(0, 2) } })

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

  /** The slots of some users' grants. */
  async function slotsInUse(): Promise<number[]> {
    const slots = new Set<number>()
    for (const { port } of redis.nodes) {
      const node = redis.ask(await serverOf(port))
      if ((await node.info('replication')).includes('role:slave')) continue
      for (const key of await node.keys('oauth:{*')) slots.add(await node.cluster('KEYSLOT', key))
    }
    return [...slots]
  }
  async function serverOf(port: number): Promise<RedisServer> {
    for (const slot of [0, 6000, 12000]) {
      const { primary, replicas } = await redis.ownerOf(slot)
      const found = [primary, ...replicas].find((server) => server.port === port)
      if (found) return found
    }
    throw new Error(`no server at ${port}`)
  }

  test.each([
    ['not waiting', undefined],
    ['waiting for the replica', { count: 1, timeoutSeconds: 0.3 }],
  ])('slots move, MOVED and ASK: nothing is noticed (%s)', async (_, waitForReplicas) => {
    const server = serverOn({ ...named(), waitForReplicas })
    const codes = await Promise.all(Array.from({ length: 20 }, () => server.code()))
    const users = startUsers(server, await tokensFor(server, 5))
    const slots = await slotsInUse()
    expect(slots.length).toBeGreaterThan(0)
    for (const slot of slots) {
      const move = await redis.beginMove(slot)
      const exchange = async () => expect((await server.exchange(codes.pop() as string)).status).toBe(200)
      await exchange()
      await redis.moveKeys(slot, move)
      const before = users.served()
      await exchange()
      await delay(60)
      await redis.endMove(slot, move)
      await exchange()
      await delay(40)
      expect(users.served()).toBeGreaterThan(before)
      if (codes.length < 3) break
    }
    const { refused, unavailable } = await users.stop()
    expect({ refused, unavailable }).toEqual({ refused: [], unavailable: 0 })
    expect(server.eventsOf('store.trouble')).toEqual([])
    await redis.healed()
  })

  test.each(['nodes', 'client'])(
    'a primary is killed: 503 in time, no grant is refused, and all is well as soon as there is another (by %s)',
    async (given) => {
      const own = given === 'client' ? new Cluster(redis.nodes, HOSTS_OWN) : undefined
      own?.on('error', () => {})
      const server = serverOn(own ? { client: own } : named())
      const code = await server.code()
      const users = startUsers(server, await tokensFor(server, 10))
      await delay(200)

      // All are of one user, so in one slot.
      const [slot] = await slotsInUse()
      const { primary } = await redis.ownerOf(slot as number)
      await primary.kill()
      while ((await redis.ownerOf(slot as number)).primary === primary) await delay(20)
      const { response, waited } = await persist(() => server.exchange(code))
      const { slowest, unavailable } = await users.stop()
      expect(refusals(server)).toEqual([])
      expect(response.status).toBe(200)
      expect(waited).toBeLessThan(BACK_WITHIN)
      expect(slowest).toBeLessThan(ANSWERED_WITHIN)
      expect(unavailable).toBeGreaterThan(0)
      await opened.pop()?.close()
      if (own) expect(await own.get('none')).toBeNull()
      own?.disconnect()
      await primary.restart()
      await redis.healed()
    },
  )
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
