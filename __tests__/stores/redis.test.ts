// The store against a real Redis: the contract on every kind of client, then what only Redis can get wrong.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { inspect } from 'node:util'
import { Cluster, Redis } from 'ioredis'
import { type RedisStoreOptions, redisStore } from '../../lib/stores/redis'
import type { GrantMove, GrantRecord, TokenStore } from '../../lib/stores/token-store'
import { storeContract } from '../../lib/testing'
import { anOrdinaryGrant } from '../support/ordinary-grant'
import { type RedisServer, startRedis } from '../support/redis-server'

let server: RedisServer
let redis: Redis
beforeAll(async () => {
  server = await startRedis()
  redis = new Redis(server.url)
})
afterAll(async () => {
  redis.disconnect()
  await server.stop()
})

const opened: TokenStore[] = []
afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.close()))
})

describe('the contract, on a connection of its own', () => {
  storeContract({ describe, test, createStore: () => redisStore({ url: server.url }) })
})

describe('the contract, on a client whose options change keys and replies', () => {
  let client: Redis<'resp3'>
  beforeAll(() => {
    client = new Redis(server.port, '127.0.0.1', {
      keyPrefix: 'host:',
      stringNumbers: true,
      replyMapping: 'resp3',
      enableAutoPipelining: true,
    })
  })
  afterAll(() => client.disconnect())
  storeContract({ describe, test, createStore: () => redisStore({ client }) })
})

describe('the contract, on a cluster: every operation keeps to one slot', () => {
  let node: RedisServer
  let cluster: Cluster
  beforeAll(async () => {
    node = await startRedis({ args: ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'] })
    const admin = new Redis(node.url)
    await admin.cluster('ADDSLOTS', ...Array.from({ length: 16384 }, (_, slot) => slot))
    while (!(await admin.cluster('INFO')).includes('cluster_state:ok')) await delay(20)
    admin.disconnect()
    cluster = new Cluster([{ host: '127.0.0.1', port: node.port }], { enableAutoPipelining: true })
    await once(cluster, 'ready')
  })
  afterAll(async () => {
    cluster.disconnect()
    await node.stop()
  })
  storeContract({ describe, test, createStore: () => redisStore({ client: cluster }) })
})

describe('keys and values', () => {
  test.each([
    ['prefix', { prefix: 'x{}:' }],
    ['prefix', { options: { keyPrefix: 'x{' }, prefix: '}:' }],
    ['prefix', { cluster: { nodes: [], keyPrefix: '{}' } }],
  ])('an empty tag in front of all names would spread a user over a cluster: %s', (option, options) => {
    expect(() => redisStore(options)).toThrow(expect.objectContaining({ code: 'bad_redis_options', option }))
  })

  test('every key has the tag of its partition, and says nothing about the grant', async () => {
    const store = aStore({ prefix: 'keys:' })
    const grant = aGrant({ client: 'the-client', data: 'the-data' })
    await store.insert(grant)
    await store.advance(grant.key, 0, aMove(1))
    const id = (name: string) => name.slice(5)
    expect((await redis.keys('keys:*')).sort()).toEqual(
      [`keys:{${PARTITION}}${id(grant.key)}`, `keys:{${PARTITION}}s${id(grant.subject)}`].sort(),
    )
    await store.put('jti:1', 'value', 60)
    expect(await redis.keys('keys:k:*')).toEqual(['keys:k:jti:1'])
  })

  test('every key expires by itself: the grant when it does, the index with the last of its grants', async () => {
    const store = aStore({ prefix: 'ttl:' })
    const grant = aGrant({ expiresIn: 100, endsIn: 1000 })
    await store.insert(grant)
    await store.insert(aGrant({ subject: grant.subject, expiresIn: 100, endsIn: 500 }))
    await store.put('key', 'value', 10)
    const ttl = async (pattern: string) => redis.ttl((await redis.keys(pattern))[0] ?? '')
    expect(await ttl(`ttl:{*}${grant.key.slice(5)}`)).toBeCloseTo(100, -1)
    expect(await ttl(`ttl:{*}s${grant.subject.slice(5)}`)).toBeCloseTo(1000, -1)
    expect(await ttl('ttl:k:*')).toBeCloseTo(10, -1)
    await store.advance(grant.key, 0, aMove(1, { expiresIn: 5000 }))
    expect(await ttl(`ttl:{*}${grant.key.slice(5)}`)).toBeCloseTo(1000, -1)
  })

  test('the index is pruned on insert, and list drops what is gone', async () => {
    const store = aStore({ prefix: 'prune:' })
    const { subject } = aGrant()
    const index = () => redis.zcard(`prune:{${PARTITION}}s${subject.slice(5)}`)
    await store.insert(aGrant({ subject, endsIn: 1.1 }))
    await store.insert(aGrant({ subject, expiresIn: 0.1 }))
    await store.insert(aGrant({ subject }))
    expect(await index()).toBe(3)
    // The index counts in whole seconds.
    await delay(2200)
    await store.insert(aGrant({ subject }))
    expect(await index()).toBe(3)
    expect((await store.list(subject)).grants).toHaveLength(2)
    expect(await index()).toBe(2)
  })

  test('a grant takes no more memory after 100 rotations', async () => {
    const store = aStore({ prefix: 'growth:' })
    const { key } = await inserted(store)
    const sizes: number[] = []
    for (let link = 0; link < 104; link++) {
      await store.advance(key, link, aMove(link + 1))
      sizes.push(await memoryOf('growth:*'))
    }
    // Times and link numbers take a byte or two more as they grow: the rounded size of the allocation may step up once.
    expect(sizes[103] as number).toBeLessThanOrEqual((sizes[3] as number) + 64)
  })

  test('a live grant of 200 bytes takes at most 500 bytes, with its share of the index', async () => {
    const store = aStore()
    await redis.flushall()
    const phone = aGrant({ data: 'x'.repeat(200), client: 'a-client-of-ours' })
    const laptop = aGrant({ ...phone, key: aGrant().key })
    for (const grant of [phone, laptop]) {
      await store.insert(grant)
      for (let link = 0; link < 10; link++) await store.advance(grant.key, link, aMove(link + 1))
    }
    expect((await memoryOf('oauth:*')) / 2).toBeLessThanOrEqual(500)
  })

  describe('a value that this store did not write is refused, not taken for a grant', () => {
    const record = {
      link: 0,
      inserted: 1e12,
      moved: 0,
      ends: 1e9,
      op: false,
      superseded: '{}',
      subject: '"s"',
      client: '"c"',
      data: '"d"',
    }
    const packed = (said: object) => `cmsgpack.pack({${Object.values({ ...record, ...said }).join()}})`
    test.each([
      ['a string', '"text"'],
      ['nothing', '""'],
      ['JSON', `'{"link":0}'`],
      ['half a record', `string.sub(${packed({})}, 1, -3)`],
      ['a record and more', `${packed({})} .. "\\0"`],
      ['a record with one field more', packed({ more: 1 })],
      ['a record with one field less', packed({ data: 'nil' })],
      ['a link as a string', packed({ link: '"0"' })],
      ['a link that is no whole number', packed({ link: 0.5 })],
      ['a link below zero', packed({ link: -1 })],
      ['a link that is no number', packed({ link: '0/0' })],
      ['a time as a string', packed({ inserted: '"1"' })],
      ['an infinite time', packed({ ends: 'math.huge' })],
      ['an op that is a number', packed({ op: 1 })],
      ['an op that is true', packed({ op: true })],
      ['superseded times as a string', packed({ superseded: '"1"' })],
      ['superseded times with a string', packed({ superseded: '{"1"}' })],
      ['a subject that is a number', packed({ subject: 1 })],
      ['a client that is a number', packed({ client: 1 })],
      ['data that is a table', packed({ data: '{}' })],
    ])('%s', async (_, value) => {
      const store = aStore()
      const { key, subject } = await inserted(store)
      const name = `oauth:{${PARTITION}}${key.slice(5)}`
      await redis.eval(`return redis.call('SET', KEYS[1], ${value})`, 1, name)
      const written = await redis.getBuffer(name)

      await expect(store.find(key)).rejects.toThrow()
      await expect(store.advance(key, 0, aMove(1))).rejects.toThrow()
      // One of many says nothing, for the caller to find out: it must not hide the others.
      expect((await store.list(subject)).grants).toMatchObject([{ key, client: '', data: '' }])
      expect(await redis.getBuffer(name)).toEqual(written)
      // "Log out everywhere" doesn't stop at it.
      expect(await store.revokeAll(subject)).toBe(1)
      expect(await store.find(key)).toBeUndefined()
    })

    test('what it would accept is what it writes', async () => {
      const store = aStore()
      const { key } = await inserted(store)
      const name = `oauth:{${PARTITION}}${key.slice(5)}`
      await redis.eval(`return redis.call('SET', KEYS[1], ${packed({})})`, 1, name)
      expect(await store.find(key)).toMatchObject({ link: 0, client: 'c', data: 'd' })
    })
  })
})

test('of grants that are begun at once where the client has as many as it may, the last one stays, and one in use goes: the oldest', async () => {
  const stores = Array.from({ length: 4 }, () => aStore({ prefix: 'crowd:' }))
  const [store] = stores as [TokenStore]
  for (const atOnce of [2, 5, 5, 20, 50, 100]) {
    const { subject } = aGrant()
    const inUse: GrantRecord[] = []
    for (let i = 0; i < 100; i++) inUse.push(await inserted(store, { subject, link: 1 }))
    const begun = Array.from({ length: atOnce }, () => aGrant({ subject }))
    await Promise.all(begun.map((grant, i) => stores[i % 4]?.insert(grant)))

    const isGone = async ({ key }: GrantRecord) => (await store.find(key)) === undefined
    const gone = await Promise.all([...inUse, ...begun].map(isGone))
    expect(gone.filter(Boolean)).toHaveLength(atOnce)
    expect(gone.slice(0, 100).filter(Boolean)).toHaveLength(1)
    // Some come in the same millisecond.
    expect(gone.slice(0, 10)).toContain(true)
  }
}, 30_000)

test('what is redeemed just when it would have to make room stays: it is in use by then', async () => {
  const [store, other] = [aStore(), aStore()]
  for (let round = 0; round < 20; round++) {
    const { subject } = aGrant()
    const begun: GrantRecord[] = []
    for (let i = 0; i < 100; i++) begun.push(await inserted(store, { subject }))
    const oldest = begun.slice(0, 10)
    const redeemed = await Promise.all([
      ...oldest.map(async ({ key }, i) => {
        for (let turns = 0; turns < i; turns++) await other.get('none')
        return other.advance(key, 0, aMove(1))
      }),
      ...oldest.map(() => inserted(store, { subject })),
    ])
    const found = await Promise.all(oldest.map(({ key }) => store.find(key)))
    expect(found.map(Boolean)).toEqual(redeemed.slice(0, 10))
  }
})

test('an index in whose place there is something else keeps no grant alive', async () => {
  const store = aStore()
  const { key, subject } = await inserted(store)
  await redis.set(`oauth:{${PARTITION}}s${subject.slice(5)}`, 'no index')
  expect(await store.revoke(key)).toBe(true)
  expect(await store.find(key)).toBeUndefined()
})

describe('a user who may do little', () => {
  /** The commands that docs/stores.md names where it says what the user needs, up to what a cluster needs besides. */
  function documented(): string[] {
    const docs = readFileSync(join(__dirname, '../../docs/stores.md'), 'utf8')
    const [, list = ''] = /- The user needs ([^;]*)/.exec(docs) ?? []
    return Array.from(list.matchAll(/`([A-Z]+)`/g), ([, name]) => String(name).toLowerCase())
  }

  async function storeOf(username: string, commands: readonly string[]): Promise<TokenStore> {
    const may = commands.map((name) => `+${name}`)
    await redis.call('ACL', 'SETUSER', username, 'on', '>password', '~little:*', ...may)
    return aStore({ prefix: 'little:', options: { port: server.port, username, password: 'password' } })
  }

  async function useAll(store: TokenStore): Promise<void> {
    const { key, subject } = await inserted(store)
    await inserted(store, { subject })
    await store.advance(key, 0, aMove(1))
    expect((await store.list(subject)).grants).toHaveLength(2)
    expect(await store.revoke(key)).toBe(true)
    expect(await store.revokeAll(subject, { client: 'client' })).toBe(1)
    for (let i = 0; i < 2; i++) expect(await store.put(subject, 'value', 60)).toBe(true)
    expect(await store.get(subject)).toBe('value')
    expect(await store.take(subject)).toBe('value')
  }

  test('needs what docs/stores.md names, and nothing else', async () => {
    const commands = documented()
    await useAll(await storeOf('least', commands))
    await redis.call('ACL', 'LOG', 'RESET')
    const called = commands.filter((name) => name !== 'info')
    for (const [i, name] of called.entries()) {
      const store = await storeOf(
        `without${i}`,
        commands.filter((other) => other !== name),
      )
      await redis.script('FLUSH') // what Redis knows already is called by its hash alone
      await useAll(store).catch(() => {})
    }
    const log = (await redis.call('ACL', 'LOG', 100)) as string[][]
    const refused = new Set(log.map((entry) => entry[entry.indexOf('object') + 1]))
    expect(called.filter((name) => !refused.has(name))).toEqual([])
  })

  // It could not tell a replica, which may lag, from the primary.
  test('may not read without GETEX, nor list without ZREM', async () => {
    const whole = aStore({ prefix: 'little:' })
    const { key, subject } = await inserted(whole)
    const without = (missing: string) => documented().filter((name) => name !== missing)
    const reader = await storeOf('reader', without('getex'))
    await expect(reader.find(key)).rejects.toThrow()
    await expect(reader.get(subject)).rejects.toThrow()
    await expect(reader.list(subject)).rejects.toThrow()
    await expect((await storeOf('lister', without('zrem'))).list(subject)).rejects.toThrow()
  })
})

describe('scripts', () => {
  test('SCRIPT FLUSH goes unnoticed', async () => {
    const store = aStore()
    const { key, subject } = await inserted(store)
    const flushed = async <T>(call: () => Promise<T>) => {
      await redis.script('FLUSH')
      return call()
    }
    for (let round = 0; round < 2; round++) {
      await flushed(() => inserted(store, { subject }))
      expect(await flushed(() => store.find(key))).toMatchObject({ link: round })
      expect(await flushed(() => store.advance(key, round, aMove(round + 1)))).toBe(true)
      expect((await flushed(() => store.list(subject))).grants).toHaveLength(round + 2)
      expect(await flushed(() => store.put(key, `${round}`, 60))).toBe(true)
      expect(await flushed(() => store.get(key))).toBe(`${round}`)
      expect(await flushed(() => store.take(key))).toBe(`${round}`)
    }
    expect(await flushed(() => store.revoke(key))).toBe(true)
    expect(await flushed(() => store.revokeAll(subject))).toBe(2)
  })

  test('SCRIPT FLUSH in the middle of many calls goes unnoticed', async () => {
    const store = aStore()
    const { key } = await inserted(store)
    const calls = Array.from({ length: 100 }, async (_, i) => {
      if (i % 10 === 0) await redis.script('FLUSH')
      return store.advance(key, 0, aMove(0))
    })
    expect(await Promise.all(calls)).toEqual(Array(100).fill(true))
  })

  test("take the place of no command of the host's", async () => {
    const client = new Redis(server.url)
    const own = ['insert', 'find', 'advance', 'revoke', 'page', 'forget', 'put', 'take']
    for (const name of own) client.defineCommand(name, { lua: `return '${name}'`, numberOfKeys: 0 })
    const builtIn = client.get
    const store = redisStore({ client })
    await inserted(store)
    const commands = client as unknown as Record<string, () => Promise<string>>
    for (const name of own) expect(await commands[name]?.()).toBe(name)
    expect(client.get).toBe(builtIn)
    client.disconnect()
  })

  test('an error carries no arguments: they are not for logs', async () => {
    const store = aStore()
    const { subject } = await inserted(store)
    await redis.set(`oauth:{${PARTITION}}s${subject.slice(5)}`, 'no index')
    const grant = aGrant({ subject, data: 'confidential' })
    const error = await store.insert(grant).catch((cause: unknown) => cause)
    expect(error).toBeInstanceOf(Error)
    expect(inspect(error, { depth: 10 })).not.toContain('confidential')
    // Nor is anything half written.
    expect(await store.find(grant.key)).toBeUndefined()
  })
})

describe('the connection', () => {
  test("close() leaves the host's client open, and any listener of its own behind", async () => {
    const client = new Redis(server.url)
    await once(client, 'ready')
    const listeners = () => client.eventNames().map((name) => client.listenerCount(name))
    const before = listeners()
    const store = redisStore({ client })
    await inserted(store)
    await store.close()
    expect(client.status).toBe('ready')
    expect(await client.ping()).toBe('PONG')
    expect(listeners()).toEqual(before)
    client.disconnect()
  })

  test("connects a host's client that is still waiting to be used", async () => {
    const client = new Redis(server.url, { lazyConnect: true })
    const store = redisStore({ client })
    await inserted(store)
    client.disconnect()
  })

  test('close() ends the connection that it opened, once what is in flight is answered', async () => {
    const connectionName = `closed-${randomId()}`
    const isConnected = async () => String(await redis.client('LIST')).includes(connectionName)
    const store = aStore({ options: { connectionName } })
    const { key } = await inserted(store)
    expect(await isConnected()).toBe(true)
    const inFlight = Array.from({ length: 20 }, () => store.find(key))
    await Promise.all([store.close(), store.close()])
    expect((await Promise.all(inFlight)).every((grant) => grant?.key === key)).toBe(true)
    await eventually(async () => expect(await isConnected()).toBe(false))
    await expect(store.find(key)).rejects.toThrow('closed')
  })

  test('the first calls wait until it is made', async () => {
    const store = aStore()
    expect(await Promise.all(Array.from({ length: 50 }, () => store.get('none')))).toEqual(
      Array(50).fill(undefined),
    )
  })

  test('a Redis that is down: every call rejects soon, none is made later, and its return is noticed', async () => {
    const own = await startRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] })
    const store = redisStore({ url: own.url })
    const { key } = await inserted(store)
    await own.kill()

    const began = performance.now()
    const calls = await Promise.allSettled(Array.from({ length: 100 }, () => store.advance(key, 0, aMove(1))))
    expect(performance.now() - began).toBeLessThan(800)
    expect(calls.every(({ status }) => status === 'rejected')).toBe(true)
    await eventually(() =>
      expect(store.find(key)).rejects.toMatchObject({
        message: 'Redis is not connected.',
        cause: { code: 'ECONNREFUSED' },
      }),
    )

    await own.restart()
    const back = performance.now()
    await eventually(async () => expect(await store.find(key)).toMatchObject({ link: 0 }))
    expect(performance.now() - back).toBeLessThan(2000)
    await store.close()
    await own.stop()
  })

  test('a Redis that is frozen: every call rejects, its return is noticed, close() does not hang', async () => {
    const own = await startRedis()
    const store = redisStore({ url: own.url })
    const { key } = await inserted(store)
    own.pause()
    const began = performance.now()
    for (let round = 0; round < 3; round++) {
      const calls = await Promise.allSettled(Array.from({ length: 100 }, () => store.find(key)))
      expect(calls.every(({ status }) => status === 'rejected')).toBe(true)
    }
    // A second until it is given up, then half a second each.
    expect(performance.now() - began).toBeLessThan(3000)

    own.resume()
    const back = performance.now()
    await eventually(async () => expect(await store.find(key)).toMatchObject({ link: 0 }))
    expect(performance.now() - back).toBeLessThan(2000)

    own.pause()
    const closing = performance.now()
    await store.close()
    expect(performance.now() - closing).toBeLessThan(1000)
    await own.stop()
  })

  test('a Redis that is frozen is given up, though a `commandTimeout` gives up each command before', async () => {
    const own = await startRedis()
    const store = redisStore({ url: own.url, options: { commandTimeout: 200 } })
    const { key } = await inserted(store)
    own.pause()
    await eventually(() => expect(store.find(key)).rejects.toThrow('Redis is not connected.'))
    own.resume()
    await eventually(async () => expect(await store.find(key)).toMatchObject({ link: 0 }))
    await store.close()
    await own.stop()
  })

  test.each(['reachable', 'unreachable'])(
    'close() leaves no handle open: a process ends by itself (%s)',
    async (kind) => {
      const url = kind === 'reachable' ? server.url : 'redis://127.0.0.1:1'
      const program = `
        const { redisStore } = require(${JSON.stringify(join(__dirname, '../../lib/stores/redis.ts'))})
        const store = redisStore({ url: ${JSON.stringify(url)} })
        store.get('none')
          .then(() => 'answered', () => 'rejected')
          .then((outcome) => console.log(outcome))
          .then(() => store.close())
          .then(() => console.log('closed'))`
      const child = spawn(process.execPath, ['--require', 'tsx/cjs', '--eval', program])
      let output = ''
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
      while (!output.includes('closed') && child.exitCode === null) await delay(10)
      const closed = performance.now()
      if (child.exitCode === null) await once(child, 'exit')
      expect(output).toBe(`${kind === 'reachable' ? 'answered' : 'rejected'}\nclosed\n`)
      expect(performance.now() - closed).toBeLessThan(1000)
    },
  )
})

describe('a Redis that may evict', () => {
  let own: RedisServer
  let admin: Redis
  beforeAll(async () => {
    own = await startRedis()
    admin = new Redis(own.url)
  })
  afterAll(async () => {
    admin.disconnect()
    await own.stop()
  })

  async function warningsWith(maxmemory: string, policy: string): Promise<string[][]> {
    await admin.config('SET', 'maxmemory', maxmemory)
    await admin.config('SET', 'maxmemory-policy', policy)
    const warnings: string[][] = []
    const store = redisStore({ url: own.url, onWarning: (code, message) => warnings.push([code, message]) })
    await store.get('none')
    await delay(50)
    // Once, and not again after each reconnection.
    await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    await eventually(() => store.get('none'))
    await delay(50)
    await store.close()
    return warnings
  }

  test.each([
    ['allkeys-lru', '100mb'],
    ['volatile-ttl', '100mb'],
    ['allkeys-lru', '0'],
  ])('with %s and a limit of %s there is one warning', async (policy, limit) => {
    expect(await warningsWith(limit, policy)).toEqual([['redis_may_evict', expect.stringContaining(policy)]])
  })

  test('with noeviction there is none', async () => {
    expect(await warningsWith('100mb', 'noeviction')).toEqual([])
  })
})

const PARTITION = '3fa9'

function randomId(length = 22): string {
  return randomBytes(32).toString('base64url').slice(0, length)
}

function aGrant(said: Partial<GrantRecord> = {}): GrantRecord {
  return {
    key: `${PARTITION}.${randomId()}`,
    subject: `${PARTITION}.${randomId()}`,
    client: 'client',
    data: 'data',
    link: 0,
    expiresIn: 30 * 24 * 3600,
    endsIn: 90 * 24 * 3600,
    ...said,
  }
}

async function inserted(store: TokenStore, said: Partial<GrantRecord> = {}): Promise<GrantRecord> {
  const grant = aGrant(said)
  await store.insert(grant)
  return grant
}

function aMove(to: number, said: Partial<GrantMove> = {}): GrantMove {
  return { op: randomId(16), to, expiresIn: 30 * 24 * 3600, ...said }
}

/** Closed after the test. */
function aStore(options: RedisStoreOptions = {}): TokenStore {
  const store = redisStore({ url: server.url, ...options })
  opened.push(store)
  return store
}

async function memoryOf(pattern: string): Promise<number> {
  let bytes = 0
  for (const key of await redis.keys(pattern)) bytes += (await redis.memory('USAGE', key)) ?? 0
  return bytes
}

async function eventually<T>(check: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + 5000
  while (true) {
    try {
      return await check()
    } catch (error) {
      if (performance.now() > deadline) throw error
      await delay(20)
    }
  }
}

describe('with 100,000 grants of others', () => {
  const GRANTS = 100_000
  const commands = async () => {
    const lines = (await redis.info('commandstats')).matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)
    return new Map(Array.from(lines, ([, name, calls]) => [name as string, Number(calls)]))
  }

  /** What Redis did for it, by the name of the command. */
  async function costOf(work: () => Promise<unknown>): Promise<Record<string, number>> {
    const before = await commands()
    await work()
    const after = [...(await commands())].map(([name, calls]) => [name, calls - (before.get(name) ?? 0)])
    return Object.fromEntries(after.filter(([name, calls]) => calls !== 0 && name !== 'info'))
  }

  test('listing and ending those of one user costs what that user has; a grant takes less than 600 bytes', async () => {
    await redis.flushall()
    const store = aStore()
    const sample = await anOrdinaryGrant()
    const insertFor = (subject: string, said: Partial<GrantRecord> = {}) =>
      store.insert({ ...sample, subject, key: `${subject.slice(0, 4)}.${aGrant().key.slice(5)}`, ...said })

    /** Of a user with so many grants, and of this client among them two. */
    async function costs(grants: number) {
      const subject = aGrant().subject
      for (let i = 0; i < grants; i++)
        await insertFor(subject, { client: i < 2 ? 'this' : 'another', data: `${i}` })
      await store.list(subject)
      return {
        list: await costOf(() => store.list(subject)),
        revokeForClient: await costOf(() => store.revokeAll(subject, { client: 'this' })),
        revokeAll: await costOf(() => store.revokeAll(subject)),
      }
    }
    await costs(1) // the scripts are known from now on
    const alone = { three: await costs(3), six: await costs(6) }

    const memory = async () => Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1])
    async function bytesOf(grantsOfEach: number): Promise<number> {
      await redis.flushall('SYNC')
      const before = await memory()
      for (let i = 0; i < GRANTS; i += 1000) {
        const users = Array.from({ length: 1000 / grantsOfEach }, () => aGrant().subject)
        await Promise.all(
          users.flatMap((user) => Array.from({ length: grantsOfEach }, () => insertFor(user))),
        )
      }
      return Math.round(((await memory()) - before) / GRANTS)
    }
    const [amongTen, only] = [await bytesOf(10), await bytesOf(1)]
    process.stdout.write(
      `Redis: ${only} bytes for a grant whose data has ${sample.data.length}, the only one of its user; ${amongTen} where the user has ten\n`,
    )
    expect(only).toBeLessThan(600)

    expect({ three: await costs(3), six: await costs(6) }).toEqual(alone)
    const find = (grants: number) => ({ getex: grants, time: grants })
    const page = { zcount: 1, zrangebyscore: 1, zrem: 1 }
    expect(alone.six).toEqual({
      list: { evalsha: 1 + 6, ...page, ...find(6) },
      revokeForClient: { evalsha: 1 + 2 + 2, ...page, ...find(2), zrem: 1 + 2, del: 2 },
      revokeAll: { evalsha: 1 + 4, ...page, zrem: 1 + 4, del: 4 },
    })
  }, 60_000)
})

test('what many callers ask for at once is written at once: a write is what a call costs most', async () => {
  const store = redisStore({ url: server.url })
  opened.push(store)
  await store.get('first')
  const reads = async () => Number(/^total_reads_processed:(\d+)/m.exec(await redis.info('stats'))?.[1])

  const before = await reads()
  await Promise.all(Array.from({ length: 50 }, () => store.get('nothing')))

  // One of them is ours, which asked.
  expect((await reads()) - before).toBeLessThanOrEqual(3)
})
