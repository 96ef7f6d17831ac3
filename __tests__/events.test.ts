import { setImmediate } from 'node:timers/promises'
import { inspect } from 'node:util'
import jwt from 'jsonwebtoken'
import request from 'supertest'
import { memoryStore, type Signer, type TokenRouterEvent, type TokenStore } from '../lib'
import { CLIENTS, ES256, type FixtureOptions, fixture, redirected, SECRET, VERIFIER } from './support/fixture'
import { type RedisServer, startRedis } from './support/redis-server'

/** All that a log could make of a value: hidden members, stacks, causes, and whatever hangs on an error. */
function allOf(value: unknown): string {
  return `${inspect(value, { depth: Number.POSITIVE_INFINITY, showHidden: true, maxStringLength: null })}
${JSON.stringify(value, (_, one) => (one instanceof Error ? { ...one, message: one.message, stack: one.stack, cause: one.cause } : one))}`
}

/** A store that fails when it is told to, with an error that carries all it was called with, as those of ioredis do. */
function talkative(store: TokenStore, fails: () => boolean): TokenStore {
  return new Proxy(store, {
    get:
      (target, name: keyof TokenStore) =>
      async (...given: [never, never, never]) => {
        if (fails()) throw Object.assign(new Error(`${name} failed`), { command: { name, args: given } })
        return target[name](...given)
      },
  })
}

describe('events', () => {
  it('never hold a token, a code, a verifier, a secret or a key, nor do their causes', async () => {
    const secrets = new Set([
      SECRET,
      VERIFIER,
      'web-secret',
      'post-secret',
      ES256.export({ format: 'jwk' }).d as string,
    ])
    const secret = (text: string) => {
      secrets.add(text)
      return text
    }
    /** A code or refresh token, and the grant's id, which nobody else may know. */
    const link = (token: string) => {
      const id = Buffer.from(token, 'base64url').subarray(3, 19)
      secrets.add(id.toString('base64url')).add(id.toString('hex'))
      return secret(token)
    }

    let now = 0
    let broken = ''
    const grants = memoryStore({ now: () => now })
    const fails = (what: string) => () => {
      if (broken === what) throw Object.assign(new Error(`${what} failed`), { what })
    }
    const lossy: TokenStore = {
      ...grants,
      advance: async (...given) => broken === 'last write' || grants.advance(...given),
    }
    const kms: Signer = {
      alg: 'ES256',
      kid: 'kms',
      publicJwk: ES256.export({ format: 'jwk' }),
      sign: async (typ, claims) => {
        if (broken === 'sign') throw Object.assign(new Error('sign failed'), { claims })
        return jwt.sign(claims, ES256, { algorithm: 'ES256', header: { alg: 'ES256', typ, kid: 'kms' } })
      },
    }
    const limiter = async (...given: unknown[]): Promise<never> => {
      throw Object.assign(new Error('The limiter failed.'), { given })
    }
    const server = fixture({
      store: talkative(lossy, () => broken === 'store'),
      signingKeys: [kms],
      clients: (id) => {
        fails('clients')()
        return CLIENTS.find(({ client_id }) => client_id === id)
      },
      findAccount: () => {
        fails('findAccount')()
        return {}
      },
      authorize: () => {
        fails('authorize')()
        return broken === 'consent' ? { error: 'access_denied' } : { subject: 'alice', label: 'Firefox' }
      },
      rateLimit: {
        store: () => ({ get: limiter, increment: limiter, decrement: limiter, resetKey: limiter }),
      },
    })
    const codeOf = async () => link(await server.code())
    const tokensOf = async (sent: PromiseLike<{ body: Record<string, string> }>) => {
      const { body } = await sent
      if (body.refresh_token) link(body.refresh_token)
      for (const signed of [body.access_token, body.id_token])
        if (signed) secret(signed.split('.')[2] as string)
      return body
    }
    const good = async () => tokensOf(server.exchange(await codeOf()))
    const refresh = (token: string, more = {}) => tokensOf(server.refresh(token, more))
    const forged = (token: string) => link(`${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`)

    // All goes well, in each way there is.
    const first = await good()
    const second = await refresh(first.refresh_token as string)
    await refresh(first.refresh_token as string)
    await server.post('/introspect', { token: second.access_token as string }).auth('web', 'web-secret')
    await server.post('/revoke', { client_id: 'spa', token: second.refresh_token as string })
    await good()
    await server.oauth.grants.revokeAll('alice')

    // The client or somebody else does something wrong.
    const code = await codeOf()
    await server.exchange(code, { code_verifier: secret(`another-${VERIFIER}`) })
    await server.exchange(code, { client_id: 'other' })
    await server.exchange(forged(code))
    await server.exchange(`${code}%00`)
    await server.post('/token', `code=${code}&code=${code}&code_verifier=${VERIFIER}`)
    await request(server.app).post(`/oauth/token?code=${code}&client_secret=web-secret`).type('form')
    await server.exchange(code, { client_secret: secret('a-guess') }).auth('web', secret('another-guess'))
    await server.post('/token', '').auth('web', secret('a-third-guess'))
    await server.post('/token', '').set('Authorization', `Basic ${btoa(`web:${secret('half-a-guess')}%`)}`)
    await server.post('/token', '').set('Authorization', `Bearer ${secret('a-bearer-token')}`)
    await server.exchange(code, { client_id: 'post', client_secret: secret('a-fourth-guess') })
    await server.post('/token', { grant_type: secret('a-password-for-a-grant-type'), client_id: 'spa' })
    const third = await tokensOf(server.exchange(code))
    await server.refresh(forged(third.refresh_token as string))
    await server.refresh(third.refresh_token as string, { scope: 'more' })
    await server.exchange(code)
    now += 6_000
    await server.exchange(code)
    const fourth = await good()
    await refresh(fourth.refresh_token as string)
    now += 61_000
    await server.refresh(fourth.refresh_token as string)
    await server.authorize({ redirect_uri: 'https://evil.example' })
    await server.authorize({ scope: 'unknown' })

    // Something of ours or of the host's fails.
    const fifth = await good()
    const sixth = await codeOf()
    for (const what of ['store', 'clients', 'findAccount', 'sign', 'authorize', 'consent']) {
      broken = what
      await server.authorize()
      await server.exchange(sixth)
      await server.refresh(fifth.refresh_token as string)
      await server.post('/revoke', { client_id: 'spa', token: fifth.refresh_token as string }).timeout(5000)
      if (what === 'store') await server.oauth.grants.revokeAll('alice').catch(() => {})
    }
    broken = 'last write'
    const seventh = await codeOf()
    const lost = await tokensOf(server.exchange(seventh))
    broken = ''
    await refresh(lost.refresh_token as string)

    const types = new Set(server.events.map(({ type }) => type))
    expect([...types].sort()).toEqual([
      'authorization.denied',
      'code.issued',
      'grant.caught-up',
      'grant.revoked',
      'host.trouble',
      'refresh.overlap',
      'replay',
      'request.refused',
      'store.trouble',
      'tokens.issued',
    ])
    const operations = server.eventsOf('host.trouble').map(({ operation }) => operation)
    expect([...new Set(operations)].sort()).toEqual([
      'authorize',
      'clients',
      'findAccount',
      'rateLimit',
      'sign',
    ])

    expect(secrets.size).toBeGreaterThan(40)
    for (const event of server.events) {
      const text = allOf(event)
      expect([...secrets].filter((one) => text.includes(one))).toEqual([])
    }
  })

  it('tell of a flow that goes well, in order', async () => {
    const server = fixture()
    const { refresh_token } = await server.tokens()
    const grant = expect.stringMatching(/^[0-9a-f]{4}\.[A-Za-z0-9_-]{16}$/)
    const whose = { grant, clientId: 'spa', subject: 'alice', scope: ['openid', 'offline_access'] }
    expect(server.events).toEqual([
      { type: 'code.issued', ...whose },
      { type: 'tokens.issued', grantType: 'authorization_code', idToken: true, refreshToken: true, ...whose },
    ])
    server.events.length = 0
    await server.refresh(refresh_token, { scope: 'openid' })
    expect(server.events).toEqual([
      {
        type: 'tokens.issued',
        grantType: 'refresh_token',
        idToken: true,
        refreshToken: true,
        ...whose,
        scope: ['openid'],
      },
    ])
  })
})

describe('trouble with Redis', () => {
  let redis: RedisServer | undefined
  afterEach(() => redis?.stop())

  it('does not tell the password with which it was asked', async () => {
    redis = await startRedis({ args: ['--requirepass', 'the-right-password'] })
    const server = fixture({ store: redis.url.replace('//', '//:the-wr0ng-password@') })
    const response = await server.authorize()
    expect(redirected(response).error).toBe('temporarily_unavailable')
    expect(server.eventsOf('store.trouble')).toHaveLength(1)
    expect(allOf(server.events)).toContain('WRONGPASS')
    expect(allOf(server.events)).not.toContain('the-wr0ng-password')
  })
})

describe('a listener', () => {
  const errors = jest.spyOn(console, 'error').mockImplementation()
  const warnings = jest.spyOn(console, 'warn').mockImplementation()

  beforeEach(() => {
    errors.mockClear()
    warnings.mockClear()
  })
  afterAll(() => {
    errors.mockRestore()
    warnings.mockRestore()
  })

  /** What is written to standard error, one text for each line of code that writes. */
  const written = () => [...errors.mock.calls, ...warnings.mock.calls].map((given) => given.join(' '))

  /** The statuses of a flow with a bit of everything. */
  async function statusesWith(onEvent: FixtureOptions['onEvent']): Promise<number[]> {
    const server = fixture({ onEvent })
    const code = await server.code()
    const exchanged = await server.exchange(code)
    return [
      exchanged.status,
      (await server.refresh(exchanged.body.refresh_token)).status,
      (await server.refresh(exchanged.body.refresh_token)).status,
      (await server.exchange(code)).status,
      (await server.post('/token', '')).status,
      (await server.post('/revoke', { client_id: 'spa', token: exchanged.body.refresh_token })).status,
    ]
  }
  const STATUSES = [200, 200, 200, 400, 401, 200]

  it('that throws changes no answer, and is told of on standard error', async () => {
    const thrower = (event: TokenRouterEvent) => {
      throw new Error(`The log is full at ${event.type}.`)
    }
    expect(await statusesWith(thrower)).toEqual(STATUSES)
    expect(written()[0]).toMatch(
      /^express-token-endpoint: onEvent threw on code\.issued: Error: The log is full at code\.issued\./,
    )
  })

  it('that rejects later changes no answer either, and does not end the process', async () => {
    const rejecter = async () => {
      await setImmediate()
      throw new Error('The log is away.')
    }
    expect(await statusesWith(rejecter)).toEqual(STATUSES)
    await setImmediate()
    await setImmediate()
    expect(written()[0]).toMatch(
      /^express-token-endpoint: onEvent threw on code\.issued: Error: The log is away\./,
    )
  })

  it('that throws nothing an error is told of too', async () => {
    await statusesWith(() => {
      throw undefined
    })
    expect(written()[0]).toBe('express-token-endpoint: onEvent threw on code.issued: not an Error')
  })

  describe('that is not there', () => {
    it('leaves what is as it should be, or a fault of a client, unwritten', async () => {
      expect(await statusesWith(undefined)).toEqual(STATUSES)
      expect(written()).toEqual([])
    })

    it('leaves troubles to standard error, with their stack and nothing else of them', async () => {
      const down = Object.assign(new Error('down'), { command: { args: ['a-secret'] } })
      const server = fixture({
        onEvent: undefined,
        store: { ...memoryStore(), find: () => Promise.reject(down) },
        findAccount: () => Promise.reject(down),
      })
      expect((await server.exchange(await server.code())).status).toBe(503)
      expect(written()).toEqual([
        expect.stringMatching(/^express-token-endpoint: find failed: Error: down\n +at .*events\.test\.ts/),
      ])
      expect(written().join()).not.toContain('a-secret')
    })

    it('leaves what nobody foresaw to standard error', async () => {
      const server = fixture({
        onEvent: undefined,
        rotate: () => {
          throw new Error('The rule for rotation broke.')
        },
      })
      const { refresh_token } = await server.tokens()
      expect((await server.refresh(refresh_token)).status).toBe(500)
      expect(written()).toEqual([
        expect.stringMatching(
          /^express-token-endpoint: token failed: Error: The rule for rotation broke\.\n/,
        ),
      ])
    })

    it('leaves warnings to standard error', async () => {
      const redis = await startRedis({ args: ['--maxmemory', '50mb', '--maxmemory-policy', 'allkeys-lru'] })
      const server = fixture({ onEvent: undefined, store: redis.url })
      await server.code()
      await redis.stop()
      expect(written()).toEqual([
        expect.stringMatching(/^express-token-endpoint: Redis has the maxmemory-policy allkeys-lru/),
      ])
    })
  })
})
