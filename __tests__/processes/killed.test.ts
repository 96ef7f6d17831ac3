// A server process is killed at any point of a request. What its client then does with another process is what counts.
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

      await victim.haltAt(at)
      const halted = victim.halted(3)
      const lost = [victim.exchange(code), victim.refresh(rotating), victim.refresh(kept, POST_CLIENT)]
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
