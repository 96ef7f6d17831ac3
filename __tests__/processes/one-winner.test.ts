// 1,000 requests at once for one token, spread over four processes that share nothing but a Redis.
import { CALLBACK, VERIFIER } from '../support/fixture'
import { type RedisServer, startRedis } from '../support/redis-server'
import type { BurstReply } from './burst'
import { type ServerOptions, startServer, type TestServer } from './start-server'

const PROCESSES = 4
const REQUESTS = 1000
const ROUNDS = 50

/** Without an ID token, whose signature would only take time. */
const SCOPE = { scope: 'offline_access' }

let redis: RedisServer

beforeAll(async () => {
  redis = await startRedis()
})

afterAll(() => redis.stop())

function startServers(options: Partial<ServerOptions> = {}): Promise<TestServer[]> {
  return Promise.all(
    Array.from({ length: PROCESSES }, () =>
      // Time enough for a machine with fewer processors than processes: what is asked is who wins, not how fast.
      startServer({ redis: redis.url, storeTimeoutSeconds: 5, codeReplaySeconds: 60, ...options }),
    ),
  )
}

/** All at once, the same number to each of the servers. */
async function atOnce(servers: TestServer[], form: Record<string, string>): Promise<BurstReply[]> {
  const each = REQUESTS / servers.length
  const replies = await Promise.all(servers.map(({ burst }) => burst.post(each, '/oauth/token', form)))
  return replies.flat()
}

const exchangeOf = (code: string) => ({
  grant_type: 'authorization_code',
  client_id: 'spa',
  code,
  redirect_uri: CALLBACK,
  code_verifier: VERIFIER,
})

const refreshOf = (refresh_token: string) => ({
  grant_type: 'refresh_token',
  client_id: 'spa',
  refresh_token,
})

/** How often each answer was given. */
function tally(replies: readonly BurstReply[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { status, body } of replies) {
    const answer = status === 200 ? '200' : `${status} ${body?.error}`
    counts[answer] = (counts[answer] ?? 0) + 1
  }
  return counts
}

const ONE_WINNER = { '200': 1, '400 invalid_grant': REQUESTS - 1 }

/** What the winner got, or one of them. */
function won(replies: readonly BurstReply[]): { access_token: string; refresh_token: string } {
  return replies.find(({ status }) => status === 200)?.body
}

test('one of 1,000 exchanges of a code wins; 1,000 refreshes within the overlap share one successor (RFC 6749 §4.1.2, RFC 9700 §4.14.2)', async () => {
  const servers = await startServers()
  const [first] = servers as [TestServer]

  for (let round = 1; round <= ROUNDS; round++) {
    const exchanged = await atOnce(servers, exchangeOf(await first.code(SCOPE)))
    expect({ round, ...tally(exchanged) }).toEqual({ round, ...ONE_WINNER })

    const { refresh_token } = won(exchanged)
    const refreshed = await atOnce(servers, refreshOf(refresh_token))
    expect({ round, ...tally(refreshed) }).toEqual({ round, '200': REQUESTS })
    const successors = new Set(refreshed.map(({ body }) => body.refresh_token))
    expect(successors.size).toBe(1)
    expect(successors).not.toContain(refresh_token)
  }

  for (const server of servers) {
    expect(await server.ask('events')).not.toHaveProperty('store.trouble')
    expect((await server.end('SIGTERM')).code).toBe(0)
  }
}, 180_000)

test('one of 1,000 refreshes wins where there is no overlap, and the replay ends the grant (RFC 9700 §4.14.2)', async () => {
  const servers = await startServers({ overlap: 0 })
  const [first] = servers as [TestServer]

  for (let round = 1; round <= ROUNDS; round++) {
    const { refresh_token } = (await first.exchange(await first.code(SCOPE))).body
    const refreshed = await atOnce(servers, refreshOf(refresh_token))
    expect({ round, ...tally(refreshed) }).toEqual({ round, ...ONE_WINNER })

    const successor = await first.refresh(won(refreshed).refresh_token)
    expect({ round, ...tally([successor]) }).toEqual({ round, '400 invalid_grant': 1 })
  }

  const events = await Promise.all(servers.map((server) => server.ask('events')))
  expect(events.reduce((sum, counts) => sum + (counts['grant.revoked'] ?? 0), 0)).toBe(ROUNDS)
}, 180_000)

test('a revocation among 1,000 refreshes wins: whatever they were given is dead (RFC 7009 §2.1)', async () => {
  const servers = await startServers()
  const [first] = servers as [TestServer]

  for (let round = 1; round <= 5; round++) {
    const { refresh_token, access_token } = (await first.exchange(await first.code(SCOPE))).body
    const refreshes = atOnce(servers, refreshOf(refresh_token))
    const revocation = await first.post('/oauth/revoke', { client_id: 'spa', token: refresh_token })
    expect(revocation.status).toBe(200)

    const refreshed = await refreshes
    // 503: moved and then revoked between two looks at it, so another try is asked for.
    for (const answer of Object.keys(tally(refreshed)))
      expect(answer).toMatch(/^(200|400 invalid_grant|503 temporarily_unavailable)$/)

    const handedOut = refreshed.filter(({ status }) => status === 200).map(({ body }) => body)
    for (const token of new Set([refresh_token, ...handedOut.map((tokens) => tokens.refresh_token)]))
      expect(tally([await first.refresh(token)])).toEqual({ '400 invalid_grant': 1 })
    for (const token of [access_token, ...handedOut.slice(-3).map((tokens) => tokens.access_token)]) {
      const asked = await first.get('/guarded', { authorization: `Bearer ${token}` })
      expect(asked.status).toBe(401)
    }
  }

  for (const server of servers) expect(await server.ask('events')).not.toHaveProperty('store.trouble')
}, 60_000)
