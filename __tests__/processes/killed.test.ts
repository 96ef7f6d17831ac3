// A server process is killed at any point of a request. What its client then does with another process is what counts.
import { randomUUID } from 'node:crypto'
import { type RedisServer, startRedis } from '../support/redis-server'
import { type HaltPoint, type Reply, startServer, type TestServer } from './start-server'

let redis: RedisServer
let survivor: TestServer

beforeAll(async () => {
  redis = await startRedis()
  survivor = await startServer({ redis: redis.url })
})

afterAll(() => redis.stop())

const answered = ({ status, body }: Reply) => (status === 200 ? 'tokens' : `${status} ${body.error}`)

/** The number of the link that a refresh token names. */
const linkOf = (token: string) => Buffer.from(token, 'base64url').readUInt32BE(19)

const POST_CLIENT = { client_id: 'post', client_secret: 'post-secret' }

describe('a process killed while it answers', () => {
  const points: { at: HaltPoint; retriedCode: RegExp }[] = [
    { at: 'before find', retriedCode: /^tokens$/ },
    { at: 'after find', retriedCode: /^tokens$/ },
    { at: 'before signing', retriedCode: /^tokens$/ },
    { at: 'before commit', retriedCode: /^tokens$/ },
    { at: 'commit sent', retriedCode: /^(tokens|400 invalid_grant)$/ },
    { at: 'after commit', retriedCode: /^400 invalid_grant$/ },
    { at: 'before response', retriedCode: /^400 invalid_grant$/ },
  ]

  it.each(points)(
    '$at: a refresh works again, and there is one successor (RFC 9700 §4.14.2)',
    async ({ at, retriedCode }) => {
      const victim = await startServer({ redis: redis.url })
      const code = await victim.code()
      const rotating = (await victim.exchange(await victim.code())).body.refresh_token
      const kept = (await victim.exchange(await victim.code({ client_id: 'post' }), POST_CLIENT)).body
        .refresh_token

      const halted = victim.halted(3)
      const lost = [
        victim.exchange(code, {}, at),
        victim.refresh(rotating, {}, at),
        victim.refresh(kept, POST_CLIENT, at),
      ]
      const outcomes = Promise.allSettled(lost)
      await halted
      await victim.end('SIGKILL')
      expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])

      const retries = await Promise.all([1, 2, 3].map(() => survivor.refresh(rotating)))
      expect(retries.map(answered)).toEqual(['tokens', 'tokens', 'tokens'])
      const [successor, ...others] = new Set(retries.map(({ body }) => body.refresh_token))
      expect(others).toEqual([])
      expect(linkOf(successor)).toBe(linkOf(rotating) + 1)
      const next = await survivor.refresh(successor)
      expect(linkOf(next.body.refresh_token)).toBe(linkOf(successor) + 1)

      const again = await survivor.refresh(kept, POST_CLIENT)
      expect(answered(again)).toBe('tokens')
      expect(again.body.refresh_token).toBe(kept)

      // A code whose answer was lost may need a new authorization; nobody ever holds what was made of it.
      const exchanged = await survivor.exchange(code)
      expect(answered(exchanged)).toMatch(retriedCode)
      expect(answered(await survivor.exchange(code))).toBe('400 invalid_grant')
      if (exchanged.status === 200) expect(linkOf(exchanged.body.refresh_token)).toBe(1)
    },
  )
})

const KILLS = 200
const POINTS: HaltPoint[] = ['before commit', 'after commit', 'before response']

test(`${KILLS} processes killed, each with a request at each of these points (${POINTS.join(', ')}): all refreshes work again, with one live successor`, async () => {
  const subject = () => ({ scope: 'offline_access', subject: randomUUID() })
  const prepare = async () => ({
    code: await survivor.code(subject()),
    token: (await survivor.exchange(await survivor.code(subject()))).body.refresh_token as string,
  })
  const { replay } = await survivor.ask('events')

  const tally: Record<string, number> = {}
  const count = (outcome: string) => (tally[outcome] = (tally[outcome] ?? 0) + 1)

  async function kill(victim: TestServer): Promise<void> {
    const prepared = await Promise.all(POINTS.map(prepare))
    const halted = victim.halted(2 * POINTS.length)
    const lost = POINTS.flatMap((at, i) => [
      victim.refresh(prepared[i]?.token as string, {}, at),
      victim.exchange(prepared[i]?.code as string, {}, at),
    ])
    const outcomes = Promise.allSettled(lost)
    await halted
    await victim.end('SIGKILL')
    for (const { status } of await outcomes) count(`the first try was ${status}`)

    await Promise.all(
      prepared.map(async ({ token, code }, i) => {
        const at = POINTS[i] as HaltPoint
        const retries = await Promise.all([survivor.refresh(token), survivor.refresh(token)])
        for (const retry of retries) count(`${at}: a retried refresh: ${answered(retry)}`)
        const successors = new Set(retries.map(({ body }) => body.refresh_token as string))
        count(
          `${at}: ${successors.size} successor, ${linkOf([...successors][0] as string) - linkOf(token)} further`,
        )
        const on = await survivor.refresh([...successors][0] as string)
        count(`${at}: and then: ${answered(on)}`)
        count(`${at}: a retried code: ${answered(await survivor.exchange(code))}`)
      }),
    )
  }
  async function killMany(times: number): Promise<void> {
    let next = startServer({ redis: redis.url })
    for (; times > 0; times--) {
      const victim = await next
      // One starts while another is killed.
      if (times > 1) next = startServer({ redis: redis.url })
      await kill(victim)
    }
  }
  await Promise.all([killMany(KILLS / 2), killMany(KILLS / 2)])

  expect(tally).toEqual({
    'the first try was rejected': 2 * POINTS.length * KILLS,
    ...Object.fromEntries(
      POINTS.flatMap((at) => [
        [`${at}: a retried refresh: tokens`, 2 * KILLS],
        [`${at}: 1 successor, 1 further`, KILLS],
        [`${at}: and then: tokens`, KILLS],
        // A code that was spent may need a new authorization; nobody ever holds what was made of it.
        [`${at}: a retried code: ${at === 'before commit' ? 'tokens' : '400 invalid_grant'}`, KILLS],
      ]),
    ),
  })
  const events = await survivor.ask('events')
  expect(events).not.toHaveProperty('store.trouble')
  expect((events.replay ?? 0) - (replay ?? 0)).toBe(2 * KILLS) // the codes
}, 300_000)

test('processes killed at random under load: each chain of refresh tokens goes on, link by link', async () => {
  const chains = await Promise.all(
    Array.from({ length: 25 }, async () => ({
      token: (await survivor.exchange(await survivor.code())).body.refresh_token as string,
      interrupted: 0,
    })),
  )

  const { replay } = await survivor.ask('events')

  for (let kill = 1; kill <= 6; kill++) {
    const victim = await startServer({ redis: redis.url })
    let dead = false
    const running = chains.map(async (chain) => {
      while (!dead) {
        const reply = await victim.refresh(chain.token).catch(() => undefined)
        const retried = reply ?? (await survivor.refresh(chain.token))
        if (!reply) chain.interrupted++
        expect(answered(retried)).toBe('tokens')
        expect(linkOf(retried.body.refresh_token)).toBe(linkOf(chain.token) + 1)
        chain.token = retried.body.refresh_token
        if (!reply) return
      }
    })
    await new Promise((resolve) => setTimeout(resolve, 100 + 37 * kill))
    await victim.end('SIGKILL')
    dead = true
    await Promise.all(running)
  }

  expect(chains.reduce((sum, { interrupted }) => sum + interrupted, 0)).toBeGreaterThan(100)
  for (const { token } of chains) expect(answered(await survivor.refresh(token))).toBe('tokens')
  const events = await survivor.ask('events')
  expect(events).not.toHaveProperty('store.trouble')
  expect(events.replay).toBe(replay)
}, 60_000)
