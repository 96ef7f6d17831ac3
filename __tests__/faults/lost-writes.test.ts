// Failovers in a row, each of which loses the last writes: what users had from the old primary is still good, and what
// was waited for is not lost. LOST_WRITES_FAILOVERS=20 for the figures in docs/stores.md.
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Response } from 'supertest'
import { redisStore, type TokenStore } from '../../lib'
import { expectRefusal, expectUnavailable, type Fixture, fixture } from '../support/fixture'
import { type RedisSentinel, startSentinel } from '../support/redis-sentinel'

const FAILOVERS = Number(process.env.LOST_WRITES_FAILOVERS ?? 3)
/** Of each kind, in each failover. */
const USERS = 20

const ANSWERED_WITHIN = 1500

let redis: RedisSentinel
const stores: TokenStore[] = []
beforeAll(async () => {
  redis = await startSentinel()
})
afterAll(async () => {
  await Promise.all(stores.map((store) => store.close()))
  await redis.stop()
})

function serverOn(waitForReplicas?: { count: number }): Fixture {
  const store = redisStore({ options: { sentinels: redis.sentinels, name: redis.name }, waitForReplicas })
  stores.push(store)
  // Each a user of their own: nobody has so many grants.
  return fixture({ store, authorize: () => ({ subject: randomUUID() }) })
}

const times = <T>(count: number, make: () => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, make))

/** As a client does: again until it is no longer 503. */
async function persist(ask: () => PromiseLike<Response>): Promise<Response> {
  for (;;) {
    const asked = performance.now()
    const response = await ask()
    expect(performance.now() - asked).toBeLessThan(ANSWERED_WITHIN)
    if (response.status !== 503) return response
    expectUnavailable(response)
    await delay(50)
  }
}

/** From now on the replicas have what they are sent, and do nothing of it. With their primary they lose it. */
async function holdBack(milliseconds: number): Promise<() => Promise<void>> {
  const replicas = await redis.replicas()
  await Promise.all(replicas.map((one) => redis.ask(one).call('CLIENT', 'PAUSE', `${milliseconds}`, 'WRITE')))
  return async () => {
    await Promise.all(replicas.map((one) => redis.ask(one).call('CLIENT', 'UNPAUSE')))
  }
}

test(`${FAILOVERS} failovers that lose the last writes: no lost rotation or redemption logs anyone out, nothing that was waited for is redeemed twice`, async () => {
  const server = serverOn()
  // Both replicas: whatever came before is then on the one that is promoted, the codes of the others too.
  const careful = serverOn({ count: 2 })
  let [rotations, redemptions, caughtUp] = [0, 0, 0]
  let users = await times(USERS, async () => (await server.tokens()).refresh_token)

  for (let failover = 1; failover <= FAILOVERS; failover++) {
    const codes = await times(USERS, () => server.code())
    const carefulCodes = await times(USERS, () => careful.code())
    const revoked = (await times(USERS, () => careful.tokens())).map(({ refresh_token }) => refresh_token)

    const confirmed = await Promise.all(carefulCodes.map((code) => careful.exchange(code)))
    for (const { status } of confirmed) expect(status).toBe(200)
    for (const token of revoked)
      expect((await careful.post('/revoke', { client_id: 'spa', token })).status).toBe(200)

    const release = await holdBack(10_000)
    // Served by the old primary alone. Each chain moves once, as in the short time that a failover loses.
    const rotated = await Promise.all(users.map((token) => server.refresh(token)))
    const redeemed = await Promise.all(codes.map((code) => server.exchange(code)))
    for (const { status } of [...rotated, ...redeemed]) expect(status).toBe(200)
    // Nobody can confirm these: 503, and not 200.
    const unconfirmed = await careful.code()
    expectUnavailable(await careful.exchange(unconfirmed))

    const primary = await redis.primary()
    await primary.kill()
    await delay(100)
    await release()

    const before = server.eventsOf('grant.caught-up').length
    const answers = await Promise.all(
      [...rotated, ...redeemed].map(({ body }) => persist(() => server.refresh(body.refresh_token))),
    )
    const refused = server.eventsOf('request.refused').map(({ reason }) => reason)
    expect(refused.filter((reason) => !/^store_|lost_race/.test(`${reason}`))).toEqual([])
    for (const { status } of answers) expect(status).toBe(200)
    rotations += rotated.length
    redemptions += redeemed.length
    caughtUp += server.eventsOf('grant.caught-up').length - before
    users = answers.slice(0, USERS).map(({ body }) => body.refresh_token)

    // What was waited for is as it was.
    for (const code of carefulCodes)
      expectRefusal(await persist(() => careful.exchange(code)), 400, 'invalid_grant')
    for (const token of revoked)
      expectRefusal(await persist(() => careful.refresh(token)), 400, 'invalid_grant')

    await primary.restart()
    await redis.healed()
  }

  // They were lost in truth, or this proves nothing.
  expect(caughtUp).toBe(rotations + redemptions)
  expect(server.eventsOf('replay')).toEqual([])
}, 300_000)

test(`failovers under load while replicas keep up: how many writes are lost without waiting`, async () => {
  const server = serverOn()
  let [acknowledged, failovers] = [0, 0]
  const chains = await times(USERS, async () => ({ token: (await server.tokens()).refresh_token }))
  for (failovers = 0; failovers < Math.ceil(FAILOVERS / 5); failovers++) {
    let down = false
    const running = chains.map(async (chain) => {
      while (!down) {
        const { status, body } = await server.refresh(chain.token)
        if (status !== 200) break
        chain.token = body.refresh_token
        acknowledged++
      }
    })
    await delay(500)
    const primary = await redis.primary()
    await primary.kill()
    down = true
    await Promise.all(running)
    for (const chain of chains) {
      const { status, body } = await persist(() => server.refresh(chain.token))
      expect({ status, error: body.error }).toEqual({ status: 200 })
      chain.token = body.refresh_token
    }
    await primary.restart()
    await redis.healed()
  }
  const lost = server.eventsOf('grant.caught-up').length
  process.stdout.write(`${failovers} failovers: ${lost} of ${acknowledged} acknowledged writes were lost\n`)
}, 300_000)
