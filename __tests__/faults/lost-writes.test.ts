// Twenty failovers in a row, each of which loses the last writes: what users have from the old primary is still good,
// and what replicas have confirmed is not undone.
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Response } from 'supertest'
import { redisStore, type TokenStore, type WaitForReplicas } from '../../lib'
import {
  expectRefusal,
  expectUnavailable,
  type Fixture,
  type FixtureOptions,
  fixture,
} from '../support/fixture'
import { openAdmin, type RedisServer, startRedis, until } from '../support/redis-server'
import { startProxy, type TcpProxy } from './tcp-proxy'

const FAILOVERS = 20
/** Of each kind, in each failover. */
const USERS = 4

const REPLICATION = ['--repl-diskless-sync-delay', '0']

let [primary, replica] = [] as unknown as [RedisServer, RedisServer]
let proxy: TcpProxy
const { ask, close } = openAdmin()
const stores: TokenStore[] = []

beforeAll(async () => {
  primary = await startRedis({ args: REPLICATION })
  replica = await startRedis({ args: [...REPLICATION, '--replicaof', '127.0.0.1', `${primary.port}`] })
  proxy = await startProxy(primary.port)
})
afterAll(async () => {
  await Promise.all(stores.map((store) => store.close()))
  close()
  proxy.close()
  await Promise.all([primary, replica].map((server) => server.stop()))
})

function storeOn(waitForReplicas?: WaitForReplicas): TokenStore {
  const store = redisStore({ url: proxy.url, waitForReplicas })
  stores.push(store)
  return store
}

/** Each a user of their own: nobody has so many grants. */
function serverOn(waitForReplicas?: WaitForReplicas): Fixture {
  const store = storeOn(waitForReplicas)
  return fixture({ store, authorize: () => ({ subject: randomUUID() }), storeTimeoutSeconds: 3 })
}

/** Resolves when the replica has all that was written until now. */
async function replicated(): Promise<void> {
  await until('replicated', async () => {
    await ask(primary).set('replicated', '')
    return (await ask(primary).wait(1, 1000)) === 1
  })
}

/** From now on the replica has no part in what is written. */
const cutOff = () => ask(replica).replicaof('NO', 'ONE')

/** The primary is lost, with all that the replica has not. The address leads to the replica. */
async function failOver(): Promise<void> {
  await primary.kill()
  ;[primary, replica] = [replica, primary]
  proxy.port = primary.port
}

/** Again until it is no longer 503. */
async function persist(ask: () => PromiseLike<Response>): Promise<Response> {
  for (;;) {
    const response = await ask()
    if (response.status !== 503) return response
    expectUnavailable(response)
    await delay(20)
  }
}

async function all<T>(items: readonly T[], ask: (item: T) => PromiseLike<Response>): Promise<Response[]> {
  return Promise.all(items.map((item) => persist(() => ask(item))))
}

const times = <T>(make: () => Promise<T>): Promise<T[]> => Promise.all(Array.from({ length: USERS }, make))

/** Why requests were refused, but for 503. */
const refusals = (server: Fixture) =>
  server.eventsOf('request.refused').filter(({ status }) => status !== 503)

const succeed = (responses: Response[]) => {
  for (const { status, body } of responses) expect({ status, error: body.error }).toEqual({ status: 200 })
  return responses.map(({ body }) => body.refresh_token as string)
}

test(`${FAILOVERS} failovers that lose the last writes: no lost rotation or redemption logs anyone out, and what was waited for is done once and for all`, async () => {
  const server = serverOn()
  // As long as a busy machine needs; and for what nobody confirms, the same with less patience.
  const careful = serverOn({ count: 1, timeoutSeconds: 2 })
  const hasty = serverOn({ count: 1, timeoutSeconds: 0.05 })
  const revoke = (by: Fixture, token: string) => by.post('/revoke', { client_id: 'spa', token })
  await replicated()
  let users = (await times(() => server.tokens())).map(({ refresh_token }) => refresh_token)
  let caughtUp = 0

  for (let failover = 1; failover <= FAILOVERS; failover++) {
    const [codes, spentTwice, confirmed, unconfirmed] = [
      await times(() => server.code()),
      await times(() => server.code()),
      await times(() => careful.code()),
      await times(() => careful.code()),
    ]
    const [revoked, unsure] = [await times(() => careful.tokens()), await times(() => careful.tokens())]
    succeed(await all(confirmed, (code) => careful.exchange(code)))
    await Promise.all(revoked.map(({ refresh_token }) => revoke(careful, refresh_token).expect(200)))
    await replicated()

    await cutOff()
    // Done by the old primary alone, and answered. Each chain moves once, as in the short time that a failover loses.
    const rotated = succeed(await all(users, (token) => server.refresh(token)))
    const redeemed = succeed(await all(codes, (code) => server.exchange(code)))
    succeed(await all(spentTwice, (code) => server.exchange(code)))
    // Nobody can confirm these.
    for (const code of unconfirmed) expectUnavailable(await hasty.exchange(code))
    for (const { refresh_token } of unsure) expectUnavailable(await revoke(hasty, refresh_token))
    await failOver()

    const lost = [...rotated, ...redeemed]
    const goneOn = succeed(await all(lost, (token) => server.refresh(token)))
    caughtUp += lost.length
    expect(server.eventsOf('grant.caught-up')).toHaveLength(caughtUp)
    users = goneOn.slice(0, USERS)
    // What is not waited for may happen twice.
    succeed(await all(spentTwice, (code) => server.exchange(code)))
    expect(refusals(server)).toEqual([])

    await replica.restart(['--replicaof', '127.0.0.1', `${primary.port}`])
    await replicated()
    // What was confirmed stays as it was. What was not is done now, when it is asked for again.
    for (const refused of [
      ...(await all(confirmed, (code) => careful.exchange(code))),
      ...(await all(revoked, ({ refresh_token }) => careful.refresh(refresh_token))),
    ])
      expectRefusal(refused, 400, 'invalid_grant')
    succeed(await all(unconfirmed, (code) => careful.exchange(code)))
    for (const { status } of await all(unsure, ({ refresh_token }) => revoke(careful, refresh_token)))
      expect(status).toBe(200)
    for (const refused of await all(unsure, ({ refresh_token }) => careful.refresh(refresh_token)))
      expectRefusal(refused, 400, 'invalid_grant')
  }
  expect(server.eventsOf('replay')).toEqual([])
}, 120_000)

describe('what ended a grant, and nobody confirmed, is waited for again when it is asked for again', () => {
  beforeEach(follow)
  const careful = (said: FixtureOptions = {}) => fixture({ store: storeOn({ count: 1 }), ...said })

  async function follow(): Promise<void> {
    await ask(replica).replicaof('127.0.0.1', String(primary.port))
    await replicated()
  }

  /** While the replica is there, and confirms nothing. (Of one that is known to be gone, nothing would be written.) */
  async function twice(ask: () => Promise<unknown>): Promise<void> {
    replica.pause()
    await ask()
    await ask()
    replica.resume()
    await follow()
  }

  test('a revocation', async () => {
    const server = careful()
    const { refresh_token } = await server.tokens()
    const id = (await server.oauth.grants.list('alice')).grants[0]?.id as string
    const revoke = () => server.post('/revoke', { client_id: 'spa', token: refresh_token })

    await twice(async () => {
      expectUnavailable(await revoke())
      await expect(server.oauth.grants.revoke('alice', id)).rejects.toMatchObject({ status: 503 })
      await expect(server.oauth.grants.revokeAll('alice')).rejects.toMatchObject({ status: 503 })
    })
    expect((await revoke()).status).toBe(200)
    expect(await server.oauth.grants.revoke('alice', id)).toBe(false)
    expect(await server.oauth.grants.revokeAll('alice')).toBe(0)
  })

  test('the end of a session', async () => {
    const server = careful({ approval: { subject: 'bob', sid: 'one' } })
    await server.tokens()
    const end = () => server.oauth.grants.revokeAll('bob', { sid: 'one' })

    await twice(() => expect(end()).rejects.toMatchObject({ status: 503 }))
    expect(await end()).toBe(0)
  })

  test('a spent refresh token (RFC 9700 §4.14.2)', async () => {
    const server = careful({ overlap: 0 })
    const { refresh_token: spent } = await server.tokens()
    const { body } = await server.refresh(spent)
    await replicated()

    await twice(async () => expectUnavailable(await server.refresh(spent)))
    expectRefusal(await persist(() => server.refresh(spent)), 400, 'invalid_grant')
    await cutOff()
    await failOver()
    await replica.restart(['--replicaof', '127.0.0.1', `${primary.port}`])
    await replicated()
    expectRefusal(await persist(() => server.refresh(body.refresh_token)), 400, 'invalid_grant')
  })

  test('a spent code (RFC 6749 §4.1.2)', async () => {
    const server = careful({ codeReplaySeconds: 0 })
    const code = await server.code()
    expect((await server.exchange(code)).status).toBe(200)

    await twice(async () => expectUnavailable(await server.exchange(code)))
    expectRefusal(await persist(() => server.exchange(code)), 400, 'invalid_grant')
  })
})
