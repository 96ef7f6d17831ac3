// Waiting for replicas, against a primary and a replica: what is confirmed, what is written, and what it holds up.
import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { inspect } from 'node:util'
import { redisStore, type TokenStore, type WaitForReplicas } from '../../lib'
import { openAdmin, type RedisServer, startRedis, until } from '../support/redis-server'

let [primary, replica] = [] as unknown as [RedisServer, RedisServer]
const { ask, close } = openAdmin()
beforeAll(async () => {
  const args = ['--repl-diskless-sync-delay', '0', '--repl-timeout', '2']
  primary = await startRedis({ args })
  replica = await startRedis({ args: [...args, '--replicaof', '127.0.0.1', `${primary.port}`] })
  await replicated()
})
afterAll(async () => {
  close()
  await Promise.all([primary.stop(), replica.stop()])
})

async function replicated(): Promise<void> {
  await until('replicated', async () => {
    await ask(primary).set('replicated', '')
    return (await ask(primary).wait(1, 1000)) === 1
  })
}

const opened: TokenStore[] = []
afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.close()))
})
function storeThatWaits(waitForReplicas: WaitForReplicas = { count: 1, timeoutSeconds: 1 }): TokenStore {
  const store = redisStore({ url: primary.url, waitForReplicas })
  opened.push(store)
  return store
}

const randomId = () => randomBytes(12).toString('base64url')
const aMove = (to: number) => ({ op: randomId(), to, expiresIn: 60 })

async function inserted(store: TokenStore) {
  const [key, subject] = [`3fa9.${randomId()}`, `3fa9.${randomId()}`]
  await store.insert({
    key,
    subject,
    client: 'client',
    data: 'confidential',
    link: 0,
    expiresIn: 60,
    endsIn: 60,
  })
  return { key, subject }
}

test('what is answered is on the replica, with all that was written before', async () => {
  const store = storeThatWaits()
  for (let i = 0; i < 20; i++) {
    const { key } = await inserted(store)
    const name = `oauth:{3fa9}${key.slice(5)}`
    expect(await store.advance(key, 0, aMove(1))).toBe(true)
    expect(await ask(replica).getBuffer(name)).toEqual(await ask(primary).getBuffer(name))
    expect(await store.revoke(key)).toBe(true)
    expect(await ask(replica).exists(name)).toBe(0)
  }
})

test('many wait together: 200 redemptions at once take a few WAITs', async () => {
  const store = storeThatWaits()
  const grants = await Promise.all(Array.from({ length: 200 }, () => inserted(store)))
  await ask(primary).config('RESETSTAT')
  const advanced = await Promise.all(grants.map(({ key }) => store.advance(key, 0, aMove(1))))
  expect(advanced).toEqual(Array(200).fill(true))
  const [, calls] = /cmdstat_wait:calls=(\d+)/.exec(await ask(primary).info('commandstats')) ?? []
  expect(Number(calls)).toBeGreaterThan(0)
  expect(Number(calls)).toBeLessThan(10)
})

test('the replica is frozen: what waits rejects in time, and nothing else waits for it', async () => {
  const store = storeThatWaits({ count: 1, timeoutSeconds: 0.5 })
  const { key } = await inserted(store)
  expect(await store.advance(key, 0, aMove(1))).toBe(true)
  const waiting = await inserted(store)

  replica.pause()
  const order: string[] = []
  const redeemed = store.advance(waiting.key, 0, aMove(1)).catch((error: Error) => {
    order.push('rejected')
    return error
  })
  await delay(50)
  for (let link = 1; link < 20; link++) expect(await store.advance(key, link, aMove(link + 1))).toBe(true)
  await inserted(store)
  order.push('all else')
  expect(await redeemed).toMatchObject({ message: '0 of 1 replicas confirmed a write within 500 ms.' })
  expect(order).toEqual(['all else', 'rejected'])
  replica.resume()
  await replicated()
})

test('the replica is gone: nothing that must wait is written, and the code is still good when it is back', async () => {
  const store = storeThatWaits({ count: 1, timeoutSeconds: 0.5 })
  const { key, subject } = await inserted(store)
  await replica.kill()
  await until('gone', async () => (await ask(primary).info('replication')).includes('connected_slaves:0'))

  for (let i = 0; i < 3; i++) {
    await expect(store.advance(key, 0, aMove(1))).rejects.toThrow('0 of 1 replicas')
    await expect(store.revoke(key)).rejects.toThrow('0 of 1 replicas')
    await expect(store.revokeAll(subject)).rejects.toThrow('0 of 1 replicas')
  }
  expect(await store.find(key)).toMatchObject({ link: 0 })

  await replica.restart()
  await replicated()
  expect(await store.advance(key, 0, aMove(1))).toBe(true)
  // Rotations are not waited for.
  await replica.kill()
  expect(await store.advance(key, 1, aMove(2))).toBe(true)
  await replica.restart()
  await replicated()
})

test('the same where the replica was still there at the last write', async () => {
  const store = storeThatWaits({ count: 1, timeoutSeconds: 0.5 })
  const [first, second] = [await inserted(store), await inserted(store)]
  expect(await store.advance(first.key, 0, aMove(1))).toBe(true)
  await replica.kill()
  await until('gone', async () => (await ask(primary).info('replication')).includes('connected_slaves:0'))

  await expect(store.advance(second.key, 0, aMove(1))).rejects.toThrow('0 of 1 replicas')
  expect(await store.find(second.key)).toMatchObject({ link: 0 })
  await replica.restart()
  await replicated()
  expect(await store.advance(second.key, 0, aMove(1))).toBe(true)
})

test('an error carries no arguments: they are not for logs', async () => {
  const store = storeThatWaits()
  const { key } = await inserted(store)
  await ask(primary).set(`oauth:{3fa9}${key.slice(5)}`, 'no grant')
  const error = await store
    .advance(key, 0, { ...aMove(1), op: 'confidential' })
    .catch((cause: unknown) => cause)
  expect(error).toBeInstanceOf(Error)
  expect(inspect(error, { depth: 10 })).not.toContain('confidential')
})

test.each([
  ['no number of replicas', { count: 0 }],
  ['half a replica', { count: 0.5 }],
  ['no time', { count: 1, timeoutSeconds: 0 }],
])('%s: a ConfigError', (_, waitForReplicas) => {
  expect(() => redisStore({ url: primary.url, waitForReplicas })).toThrow(
    expect.objectContaining({ code: 'bad_redis_options' }),
  )
})
