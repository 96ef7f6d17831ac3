// What becomes of requests when Redis is in trouble: 503 and another try, never invalid_grant, on which a client throws
// its tokens away.
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { type Reply, startServer, type TestServer } from '../processes/start-server'
import { CALLBACK, CHALLENGE } from '../support/fixture'
import { type RedisServer, startRedis } from '../support/redis-server'
import { startProxy, type TcpProxy } from './tcp-proxy'

/** Milliseconds within which each request is answered, and within which all is well again after the fault. */
const ANSWERED_WITHIN = 1500
const BACK_WITHIN = 2000

interface Place {
  readonly redis: RedisServer
  readonly proxy: TcpProxy
  /** A connection past the proxy. */
  readonly admin: Redis
}

interface Fault {
  readonly title: string
  readonly args?: string[]
  readonly begin: (place: Place) => unknown
  readonly end: (place: Place) => unknown
  /** What needs nothing that the fault takes away. */
  readonly works?: RequestName[]
}

type RequestName = 'exchange' | 'rotate' | 'refresh' | 'revoke' | 'introspect' | 'authorize' | 'guarded'

const ALL: RequestName[] = ['exchange', 'rotate', 'refresh', 'revoke', 'introspect', 'authorize', 'guarded']
const READS: RequestName[] = ['introspect', 'guarded']
const PERSISTENT = ['--appendonly', 'yes', '--appendfsync', 'always']

const FAULTS: Fault[] = [
  {
    title: 'refuses connections',
    args: PERSISTENT,
    begin: ({ redis }) => redis.kill(),
    end: ({ redis }) => redis.restart(),
  },
  {
    title: 'is frozen (SIGSTOP)',
    begin: ({ redis }) => redis.pause(),
    end: ({ redis }) => redis.resume(),
  },
  {
    title: 'answers after 5 s',
    begin: ({ proxy }) => {
      proxy.mode = 'slow'
    },
    end: ({ proxy }) => {
      proxy.mode = 'pass'
    },
  },
  {
    title: 'loses the connection whenever it should answer',
    begin: ({ proxy }) => {
      proxy.mode = 'drop-replies'
    },
    end: ({ proxy }) => {
      proxy.mode = 'pass'
    },
  },
  {
    title: 'has no memory left (OOM)',
    begin: ({ admin }) => admin.config('SET', 'maxmemory', '1'),
    end: ({ admin }) => admin.config('SET', 'maxmemory', '0'),
    works: [...READS, 'revoke'],
  },
  {
    title: 'has become a replica (READONLY)',
    begin: ({ admin }) => admin.replicaof('127.0.0.1', '1'),
    end: ({ admin }) => admin.replicaof('NO', 'ONE'),
    works: READS,
  },
  {
    title: 'is a replica without its primary (MASTERDOWN)',
    args: ['--replica-serve-stale-data', 'no'],
    begin: ({ admin }) => admin.replicaof('127.0.0.1', '1'),
    end: ({ admin }) => admin.replicaof('NO', 'ONE'),
  },
  {
    title: 'lacks the replicas that it must write to (NOREPLICAS)',
    begin: ({ admin }) => admin.config('SET', 'min-replicas-to-write', '1'),
    end: ({ admin }) => admin.config('SET', 'min-replicas-to-write', '0'),
    works: READS,
  },
  {
    title: "runs somebody's endless script (BUSY)",
    args: ['--lua-time-limit', '20'],
    begin: async ({ admin }) => {
      void admin.eval('while true do end', 0).catch(() => {})
      await delay(100)
    },
    // By hand: a client would first ask for INFO, which is refused as well.
    end: async ({ redis }) => {
      const socket = connect(redis.port, '127.0.0.1')
      socket.write('SCRIPT KILL\r\n')
      await once(socket, 'data')
      socket.destroy()
    },
  },
  {
    title: 'has another password than ours (NOAUTH)',
    begin: async ({ admin }) => {
      await admin.config('SET', 'requirepass', 'changed')
      await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    },
    end: ({ admin }) => admin.config('SET', 'requirepass', ''),
  },
  {
    title: 'forgets its scripts (SCRIPT FLUSH)',
    begin: ({ admin }) => admin.script('FLUSH'),
    end: () => {},
    works: ALL,
  },
  {
    title: 'drops idle connections',
    begin: async ({ admin }) => {
      await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
      await delay(20) // until the other end knows
    },
    end: () => {},
    works: ALL,
  },
]

const place = {} as { -readonly [Part in keyof Place]: Place[Part] }
let server: TestServer

async function setUp(args: string[] = []): Promise<void> {
  place.redis = await startRedis({ args })
  place.proxy = await startProxy(place.redis.port)
  place.admin = new Redis(place.redis.url, { retryStrategy: () => 50, disconnectTimeout: 50 }).on(
    'error',
    () => {},
  )
  server = await startServer({ redis: place.proxy.url })
}

afterEach(async () => {
  place.admin.disconnect()
  place.proxy.close()
  await server.end()
  await place.redis.stop()
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

/** What a reply says of its request, in one word. Whatever else is wrong with it makes it another word. */
function outcome(request: RequestName, { status, headers, body, milliseconds }: Reply): string {
  if (milliseconds > ANSWERED_WITHIN) return `${status} after ${milliseconds} ms`
  const redirect = headers.location && new URL(headers.location).searchParams
  if (request === 'authorize' && redirect) {
    if (redirect.has('code')) return 'works'
    return redirect.get('error') === 'temporarily_unavailable' ? 'unavailable' : `${redirect}`
  }
  if (status === 200 && body?.active !== false) return 'works'
  const { error, ...rest } = body ?? {}
  const unavailable =
    status === 503 &&
    headers['retry-after'] === '1' &&
    headers['content-type'] === 'application/json; charset=utf-8' &&
    headers['cache-control'] === 'no-store' &&
    error === 'temporarily_unavailable' &&
    Object.keys(rest).join() === 'error_description'
  return unavailable ? 'unavailable' : `${status} ${JSON.stringify(headers)} ${JSON.stringify(body)}`
}

type Requests = Record<RequestName, () => Promise<Reply>>

async function askAll(requests: Requests): Promise<Record<string, string>> {
  const names = Object.keys(requests) as RequestName[]
  const replies = await Promise.all(names.map((name) => requests[name]()))
  return Object.fromEntries(names.map((name, i) => [name, outcome(name, replies[i] as Reply)]))
}

function expected(works: RequestName[]): Record<string, string> {
  return Object.fromEntries(ALL.map((name) => [name, works.includes(name) ? 'works' : 'unavailable']))
}

/** Resolves as soon as a refresh works; what it says until then is 503. */
async function untilBack({ refresh }: Pick<Requests, 'refresh'>): Promise<void> {
  const started = performance.now()
  for (;;) {
    const reply = await refresh()
    const said = outcome('refresh', reply)
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
  // A member is the grant's id and a tag of four characters.
  expect(members.map((member) => member.slice(0, -4)).sort()).toEqual(
    grants.map((key) => key.slice(key.indexOf('}') + 1)).sort(),
  )
}

describe('while Redis is in trouble, requests are answered with 503 in time, and work again after it', () => {
  it.each(FAULTS)('Redis $title', async ({ args, begin, end, works = [] }) => {
    await setUp(args)
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
    await setUp([...PERSISTENT, '--key-load-delay', '100'])
    const { redis, admin } = place
    const requests = await prepare()
    await admin.eval("for i = 1, 15000 do redis.call('SET', 'other:' .. i, i) end", 0)

    let restarting = true
    const restarted = redis.restart().then(() => {
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
    await setUp()
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
