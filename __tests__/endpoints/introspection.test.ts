import { createHmac, createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import { memoryStore } from '../../lib'
import {
  claimsOf,
  ES256,
  expectRefusal,
  expectUncached,
  type Fixture,
  type FixtureOptions,
  fixture,
  headerOf,
  ISSUER,
  jws,
  type Tokens,
} from '../support/fixture'

/** Asked by `web`, whose tokens these are. */
function introspect({ post }: Fixture, token: string, more: Record<string, string> = {}) {
  return post('/introspect', { token, ...more }).auth('web', 'web-secret')
}

async function expectInactive(server: Fixture, token: string): Promise<void> {
  const response = await introspect(server, token)
  expect({ status: response.status, text: response.text }).toEqual({ status: 200, text: '{"active":false}' })
  expectUncached(response)
}

/** A server with a clock of its own, for the router and the store. */
function clocked(options: FixtureOptions = {}) {
  const clock = { now: 1_800_000_000_000 }
  const now = () => clock.now
  return Object.assign(fixture({ now, store: memoryStore({ now }), ...options }), { clock })
}

describe('an active token', () => {
  it('is an access token of the caller, with its claims (RFC 7662 §2.2)', async () => {
    const server = clocked()
    const { access_token } = await server.tokens({ client_id: 'web' })
    const response = await introspect(server, access_token)

    expect(response.status).toBe(200)
    expectUncached(response)
    expect(response.body).toEqual({
      active: true,
      token_type: 'Bearer',
      iss: ISSUER,
      sub: 'alice',
      aud: ISSUER,
      client_id: 'web',
      scope: 'openid offline_access',
      iat: 1_800_000_000,
      exp: 1_800_000_600,
      jti: expect.any(String),
      grant_id: expect.any(String),
    })
  })

  it('is a refresh token of the caller, until it is idle for too long (RFC 7662 §2.2)', async () => {
    const server = clocked({ lifetimes: { refreshIdleSeconds: 1000, refreshAbsoluteSeconds: 1500 } })
    const { refresh_token } = await server.tokens({ client_id: 'web' })
    const active = (exp: number) => ({
      active: true,
      iss: ISSUER,
      sub: 'alice',
      client_id: 'web',
      scope: 'openid offline_access',
      exp,
    })

    const response = await introspect(server, refresh_token)
    expectUncached(response)
    expect(response.body).toEqual(active(1_800_001_000))

    server.clock.now += 900_000
    await server.refresh(refresh_token, { client_id: undefined }).auth('web', 'web-secret')
    // The absolute end comes before another idle time has passed.
    expect((await introspect(server, refresh_token)).body).toEqual(active(1_800_001_500))
  })

  it.each(['access_token', 'refresh_token', 'wrong'])(
    'is found whatever the hint says: %s (RFC 7662 §2.1)',
    async (hint) => {
      const server = fixture()
      const { access_token, refresh_token } = await server.tokens({ client_id: 'web' })
      for (const token of [access_token, refresh_token])
        expect((await introspect(server, token, { token_type_hint: hint })).body.active).toBe(true)
    },
  )

  it('is a superseded refresh token as long as it still works, and asking changes nothing', async () => {
    const server = clocked({ rotate: 'always', overlap: 60 })
    const { refresh_token: old } = await server.tokens({ client_id: 'web' })
    const { body } = await server.refresh(old, { client_id: undefined }).auth('web', 'web-secret')

    server.clock.now += 59_999
    expect((await introspect(server, old)).body.active).toBe(true)
    server.clock.now += 1
    await expectInactive(server, old)
    expect((await introspect(server, body.refresh_token)).body.active).toBe(true)
    expect(server.eventsOf('replay')).toEqual([])
  })

  it('says what it says whatever claims the host adds (RFC 7662 §2.2)', async () => {
    const server = fixture({
      findAccount: () => ({
        accessTokenClaims: {
          active: false,
          token_type: 'N_A',
          client_id: 'x',
          sub: 'mallory',
          role: 'admin',
        },
      }),
    })
    const { access_token } = await server.tokens({ client_id: 'web' })

    expect((await introspect(server, access_token)).body).toMatchObject({
      active: true,
      token_type: 'Bearer',
      client_id: 'web',
      sub: 'alice',
      role: 'admin',
    })
  })
})

describe('who may ask', () => {
  it.each([
    ['a stranger', {}],
    ['a public client, whose name anybody can say', { client_id: 'spa' }],
    ['a client without its secret', { client_id: 'web' }],
    ['a client with a wrong secret', { client_id: 'post', client_secret: 'wrong' }],
    ['an unknown client', { client_id: 'nobody', client_secret: 'x' }],
  ])('%s is refused (RFC 7662 §2.1, §4)', async (_what, credentials) => {
    const server = fixture()
    const { access_token } = await server.tokens()
    expectRefusal(
      await server.post('/introspect', { ...credentials, token: access_token }),
      401,
      'invalid_client',
    )
  })

  it('learns the scheme with a wrong Basic secret (RFC 6749 §5.2)', async () => {
    const response = await fixture().post('/introspect', { token: 'x' }).auth('api', 'wrong')
    expectRefusal(response, 401, 'invalid_client')
    expect(response.headers['www-authenticate']).toBe(`Basic realm="${ISSUER}", charset="UTF-8"`)
  })

  it.each([
    ['api, its audience', 'api', true],
    ['web, nobody whom it concerns', 'web', false],
  ])(
    'learns of an access token that is for it, and of no other: %s (RFC 7662 §4)',
    async (_what, caller, expected) => {
      const server = fixture({ audience: 'api' })
      const { access_token } = await server.tokens()
      const { body } = await server
        .post('/introspect', { token: access_token })
        .auth(caller, `${caller}-secret`)
      expect(body.active).toBe(expected)
    },
  )

  it("learns nothing of another client's tokens (RFC 7662 §2.2, §4)", async () => {
    const server = fixture()
    const { access_token, refresh_token } = await server.tokens({ client_id: 'post' })
    await expectInactive(server, access_token)
    await expectInactive(server, refresh_token)
  })

  it('learns nothing of a refresh token as the audience of its access tokens (RFC 7662 §4)', async () => {
    const server = fixture({ audience: 'web' })
    const { access_token, refresh_token } = await server.tokens()
    expect((await introspect(server, access_token)).body.active).toBe(true)
    await expectInactive(server, refresh_token)
  })

  it.each([
    ['no token', 'x=y'],
    ['two tokens', 'token=a&token=b'],
  ])('sends a token, and one: %s (RFC 7662 §2.1)', async (_what, form) => {
    expectRefusal(await fixture().post('/introspect', form).auth('web', 'web-secret'), 400, 'invalid_request')
  })

  it('sends it in the body (RFC 7662 §4)', async () => {
    const { post, get } = fixture()
    expectRefusal(
      await post('/introspect?token=a', { token: 'a' }).auth('web', 'web-secret'),
      400,
      'invalid_request',
    )
    const response = await get('/oauth/introspect?token=a').auth('web', 'web-secret')
    expect(response.status).toBe(405)
  })

  it('is no script of another origin', async () => {
    const response = await introspect(fixture(), 'x').set('Origin', 'https://spa.example')
    expect(response.headers).not.toHaveProperty('access-control-allow-origin')
  })
})

describe('an inactive token is {"active":false} and nothing else (RFC 7662 §2.2)', () => {
  const server = fixture()
  let tokens: Tokens
  beforeAll(async () => {
    tokens = await server.tokens({ client_id: 'web' })
  })
  const pem = createPublicKey(ES256).export({ type: 'spki', format: 'pem' }) as string
  const strange = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey

  it('(the forgeries below fail for what they forge: without it, they pass)', async () => {
    const { access_token } = tokens
    const { body } = await introspect(server, jws(headerOf(access_token), claimsOf(access_token)))
    expect(body.active).toBe(true)
  })

  it.each<[string, (tokens: Tokens) => string]>([
    ['garbage', () => 'garbage'],
    ['three parts of garbage', () => 'a.b.c'],
    ['a null character', () => '\0'],
    ['much', () => `${'x'.repeat(30_000)}.${'y'.repeat(30_000)}.z`],
    ['a made-up refresh token', () => 'A'.repeat(52)],
    [
      'a damaged refresh token',
      ({ refresh_token }) => refresh_token.replace(/.$/, (c) => (c === 'A' ? 'B' : 'A')),
    ],
    ['a refresh token with a blank', ({ refresh_token }) => `${refresh_token} `],
    ['an ID token (RFC 9068 §4)', ({ id_token }) => id_token],
    ['an access token without its signature', ({ access_token }) => access_token.replace(/[^.]+$/, '')],
    ['an access token with a blank', ({ access_token }) => ` ${access_token}`],
  ])('%s', async (_what, tokenOf) => {
    await expectInactive(server, tokenOf(tokens))
  })

  type Forgery = [string, object, object, ((input: Buffer) => Buffer)?]
  it.each<Forgery>([
    ['alg none (RFC 9068 §4)', { alg: 'none' }, {}, () => Buffer.alloc(0)],
    ['alg none with the signature (RFC 9068 §4)', { alg: 'none' }, {}],
    [
      'HS256 with the public key as its secret (RFC 8725 §2.1)',
      { alg: 'HS256' },
      {},
      (input) => createHmac('sha256', pem).update(input).digest(),
    ],
    [
      'a signature of another key (RFC 7515 §5.2)',
      {},
      {},
      (input) => sign('sha256', input, { key: strange, dsaEncoding: 'ieee-p1363' }),
    ],
    [
      'a key that it brings itself (RFC 8725 §3.10)',
      { kid: undefined, jwk: createPublicKey(strange).export({ format: 'jwk' }) },
      {},
      (input) => sign('sha256', input, { key: strange, dsaEncoding: 'ieee-p1363' }),
    ],
    ['an unknown kid', { kid: 'unknown' }, {}],
    ['no kid', { kid: undefined }, {}],
    ['a kid that every object has', { kid: '__proto__' }, {}],
    ['another alg than the key has (RFC 8725 §3.1)', { alg: 'ES384' }, {}],
    ['an extension that is not understood (RFC 7515 §4.1.11)', { crit: ['exp'], exp: 1 }, {}],
    ['a crit that is no list (RFC 7515 §4.1.11)', { crit: null }, {}],
    ['the typ of an ID token (RFC 9068 §4)', { typ: 'JWT' }, {}],
    ['no typ (RFC 9068 §4)', { typ: undefined }, {}],
    ['another issuer (RFC 9068 §4)', {}, { iss: 'http://localhost:3000' }],
    ['no issuer (RFC 9068 §4)', {}, { iss: undefined }],
    ['its time over (RFC 9068 §4)', {}, { exp: Math.floor(Date.now() / 1000) }],
    ['no end (RFC 9068 §2.2)', {}, { exp: undefined }],
    ['a time to come (RFC 7519 §4.1.5)', {}, { nbf: Math.floor(Date.now() / 1000) + 600 }],
    ['another user', {}, { sub: 'mallory' }],
    ['another client', {}, { client_id: 'api' }],
    ['no grant', {}, { grant_id: undefined }],
    ['a grant that is no key', {}, { grant_id: '*' }],
    ['a grant that is not there', {}, { grant_id: 'abcd.0123456789012345678901' }],
  ])('an access token with %s', async (...[, header, claims, signature]) => {
    const { access_token } = tokens
    const forged = jws(
      { ...headerOf(access_token), ...header },
      { ...claimsOf(access_token), ...claims },
      signature,
    )
    await expectInactive(server, forged)
  })

  it('an authorization code', async () => {
    await expectInactive(server, await server.code({ client_id: 'web' }))
  })

  it('an access token whose time is over', async () => {
    const { clock, ...late } = clocked()
    const { access_token } = await late.tokens({ client_id: 'web' })
    clock.now += 599_999
    expect((await introspect(late, access_token)).body.active).toBe(true)
    clock.now += 1
    await expectInactive(late, access_token)
  })

  it.each([
    ['idle', { refreshIdleSeconds: 1000 }, 999_999],
    // The last second would leave no access token that ends with the grant, so no refresh is answered in it.
    ['absolute', { refreshAbsoluteSeconds: 1000 }, 999_000],
  ])('a refresh token whose time is over: %s', async (_what, lifetimes, last) => {
    const { clock, ...late } = clocked({ lifetimes })
    const { refresh_token } = await late.tokens({ client_id: 'web' })
    clock.now += last
    expect((await introspect(late, refresh_token)).body.active).toBe(true)
    clock.now += 1
    await expectInactive(late, refresh_token)
  })

  it('any token of a grant that the user ended', async () => {
    const ended = fixture()
    const { access_token, refresh_token } = await ended.tokens({ client_id: 'web' })
    await ended.oauth.grants.revokeAll('alice')
    await expectInactive(ended, access_token)
    await expectInactive(ended, refresh_token)
  })

  it('any token of a server that shares store, secret and keys', async () => {
    const store = memoryStore()
    const [here, there] = [fixture({ store }), fixture({ store, issuer: 'http://127.0.0.1:3000/oauth' })]
    const { access_token, refresh_token } = await there.tokens({ client_id: 'web' })
    await expectInactive(here, access_token)
    await expectInactive(here, refresh_token)
  })
})

describe('trouble with the store', () => {
  it('is 503: that a token is not active is never a guess (RFC 7662 §2.2)', async () => {
    let down = false
    const memory = memoryStore()
    const server = fixture({
      store: { ...memory, find: (key) => (down ? Promise.reject(new Error('down')) : memory.find(key)) },
    })
    const { access_token, refresh_token } = await server.tokens({ client_id: 'web' })
    down = true
    for (const token of [access_token, refresh_token]) {
      const response = await introspect(server, token)
      expectRefusal(response, 503, 'temporarily_unavailable')
      expect(response.headers['retry-after']).toBe('1')
    }
  })

  it.each(['', '{}', '{"v":1', 'null', '{"v":2,"s":"alice","p":"","t":0,"r":1}'])(
    'is 503 with a record that cannot be: %j, and told once',
    async (data) => {
      let corrupt = false
      const memory = memoryStore()
      const server = fixture({
        store: {
          ...memory,
          async find(key) {
            const stored = await memory.find(key)
            return stored && corrupt ? { ...stored, data } : stored
          },
        },
      })
      const { access_token } = await server.tokens({ client_id: 'web' })
      corrupt = true

      expectRefusal(await introspect(server, access_token), 503, 'temporarily_unavailable')
      expect(server.eventsOf('store.trouble')).toMatchObject([{ operation: 'decode' }])
    },
  )
})
