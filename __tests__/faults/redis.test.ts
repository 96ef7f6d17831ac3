// What becomes of requests when Redis is in trouble: 503 and another try, never invalid_grant, on which a client throws
// its tokens away. Under load: under-load.test.ts.
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { type Reply, startServer, type TestServer } from '../processes/start-server'
import { CALLBACK, CHALLENGE } from '../support/fixture'
import type { RedisServer } from '../support/redis-server'
import {
  ALL,
  ANSWERED_WITHIN,
  BACK_WITHIN,
  FAULTS,
  outcome,
  type Place,
  type RequestName,
  startPlace,
} from './redis-faults'

let place: Place
let server: TestServer

beforeEach(async () => {
  place = await startPlace()
  server = await startServer({ redis: place.proxy.url })
})

afterEach(async () => {
  await server.end()
  await place.close()
})

const POST_CLIENT = { client_id: 'post', client_secret: 'post-secret' }

/** One request of each kind, each with a token of its own that is good whenever Redis is. */
async function prepare(): Promise<Record<RequestName, () => Promise<Reply>>> {
  const tokens = async () => (await server.exchange(await server.code())).body
  const code = await server.code()
  const { refresh_token: rotating, access_token } = await tokens()
  const { refresh_token: kept } = (
    await server.exchange(await server.code({ client_id: 'post' }), POST_CLIENT)
  ).body
  const { refresh_token: unwanted } = await tokens()
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: 'spa',
    redirect_uri: CALLBACK,
    code_challenge: CHALLENGE,
    code_challenge_method: 'S256',
  })
  return {
    exchange: () => server.exchange(code),
    rotate: () => server.refresh(rotating),
    refresh: () => server.refresh(kept, POST_CLIENT),
    revoke: () => server.post('/oauth/revoke', { client_id: 'spa', token: unwanted }),
    introspect: () => server.post('/oauth/introspect', { ...POST_CLIENT, token: kept }),
    authorize: () => server.get(`/oauth/authorize?${query}`),
    guarded: () => server.get('/guarded', { authorization: `Bearer ${access_token}` }),
  }
}

type Requests = Record<RequestName, () => Promise<Reply>>

function inTime(name: RequestName, reply: Reply): string {
  const { status, milliseconds } = reply
  return milliseconds > ANSWERED_WITHIN ? `${status} after ${milliseconds} ms` : outcome(name, reply)
}

async function askAll(requests: Requests): Promise<Record<string, string>> {
  const names = Object.keys(requests) as RequestName[]
  const replies = await Promise.all(names.map((name) => requests[name]()))
  return Object.fromEntries(names.map((name, i) => [name, inTime(name, replies[i] as Reply)]))
}

function expected(works: RequestName[]): Record<string, string> {
  return Object.fromEntries(ALL.map((name) => [name, works.includes(name) ? 'works' : 'unavailable']))
}

/** Resolves as soon as a refresh works; what it says until then is 503. */
async function untilBack({ refresh }: Pick<Requests, 'refresh'>): Promise<void> {
  const started = performance.now()
  for (;;) {
    const reply = await refresh()
    const said = inTime('refresh', reply)
    const waited = performance.now() - started
    if (said === 'works') return expect(waited).toBeLessThan(BACK_WITHIN)
    expect(said).toBe('unavailable')
    if (waited > 3 * BACK_WITHIN) throw new Error('Redis is back, and nothing works.')
    await delay(20)
  }
}

async function isLoading({ url }: RedisServer): Promise<boolean> {
  const client = new Redis(url, {
    lazyConnect: true,
    retryStrategy: () => null,
    enableReadyCheck: false,
    disconnectTimeout: 50,
  })
  const answer = await client
    .on('error', () => {})
    .get('key')
    .catch((error: Error) => error.message)
  client.disconnect()
  return `${answer}`.startsWith('LOADING')
}

/** Each grant is in the index of its user, and the index names no grant that is not there. */
async function expectNoHalfGrant({ admin }: Place): Promise<void> {
  const keys = await admin.keys('oauth:{*')
  const types = await Promise.all(keys.map((key) => admin.type(key)))
  const grants = keys.filter((_, i) => types[i] === 'string')
  const indexes = keys.filter((_, i) => types[i] === 'zset')
  const members = (await Promise.all(indexes.map((key) => admin.zrange(key, '0', '-1')))).flat()
  expect(grants.length).toBeGreaterThan(0)
  // A member is the grant's id and a tag of one character.
  expect(members.map((member) => member.slice(0, -1)).sort()).toEqual(
    grants.map((key) => key.slice(key.indexOf('}') + 1)).sort(),
  )
}

describe('while Redis is in trouble, requests are answered with 503 in time, and work again after it', () => {
  it.each(FAULTS)('Redis $title', async ({ begin, end, works = [] }) => {
    const requests = await prepare()
    await begin(place)

    const waves = [askAll(requests)]
    for (const wait of [150, 300, 900]) {
      await delay(wait)
      // What works may work once only.
      waves.push(askAll(works === ALL ? await prepare() : requests))
    }
    for (const wave of await Promise.all(waves)) expect(wave).toEqual(expected(works))

    await end(place)
    await untilBack(requests)
    expect(await askAll(works === ALL ? await prepare() : requests)).toEqual(expected(ALL))
    await expectNoHalfGrant(place)
    // An unhandled rejection would have ended it.
    expect(server.process.exitCode).toBeNull()
  })

  it('Redis loads its data (LOADING)', async () => {
    const { redis, admin } = place
    const requests = await prepare()
    await admin.eval("for i = 1, 15000 do redis.call('SET', 'other:' .. i, i) end", 0)

    let restarting = true
    const restarted = redis.restart(['--key-load-delay', '100']).then(() => {
      restarting = false
    })
    let waves = 0
    while (restarting) {
      if (!(await isLoading(redis))) continue
      const wave = await askAll(requests)
      if (!(await isLoading(redis))) continue
      waves++
      expect(wave).toEqual(expected([]))
    }
    await restarted
    expect(waves).toBeGreaterThan(0)

    await untilBack(requests)
    // The last wave may have spent the code, when all was loaded.
    const { exchange } = await prepare()
    expect(await askAll({ ...requests, exchange })).toEqual(expected(ALL))
  })

  it('Redis is frozen, and nothing that waits for it piles up', async () => {
    const { refresh } = await prepare()
    const many = async () => {
      const replies = await Promise.all(Array.from({ length: 300 }, refresh))
      return [...new Set(replies.map(({ status }) => status))]
    }
    expect(await many()).toEqual([200])

    place.redis.pause()
    expect(await many()).toEqual([503])
    const before = await server.ask('memory')
    for (let i = 0; i < 4; i++) expect(await many()).toEqual([503])
    const grown = (await server.ask('memory')) - before
    place.redis.resume()

    expect(grown).toBeLessThan(1_000_000)
    await untilBack({ refresh })
  })
})
