import { createHmac, createPublicKey } from 'node:crypto'
import { createServer } from 'node:http'
import express, { type Express } from 'express'
import express4 from 'express4'
import request, { type Response } from 'supertest'
import { ConfigError, memoryStore, type RequireAccessTokenOptions } from '../../lib'
import {
  claimsOf,
  ES256,
  type Fixture,
  type FixtureOptions,
  fixture,
  headerOf,
  ISSUER,
  jws,
  type Tokens,
} from '../support/fixture'

/** An API of the host's own, and the server that issues its tokens. */
function api(guard: RequireAccessTokenOptions = {}, options: FixtureOptions = {}) {
  const server = fixture({ scopes: ['openid', 'offline_access', 'read', 'write'], ...options })
  server.app.get('/api', server.oauth.requireAccessToken(guard), (req, res) => {
    res.json({ subject: req.accessToken?.subject })
  })
  return { ...server, call: (authorization?: string) => call(server, authorization) }
}

function call({ app }: Pick<Fixture, 'app'>, authorization?: string) {
  const asked = request(app).get('/api')
  return authorization === undefined ? asked : asked.set('Authorization', authorization)
}

const CHALLENGE = `Bearer realm="${ISSUER}"`

/** The whole of a refusal, header and body alike (RFC 6750 §3). */
function expectRefused(
  response: Response,
  status: 401 | 403,
  error: string,
  description: string,
  more = '',
): void {
  expect(response.status).toBe(status)
  expect(response.headers).toMatchObject({
    'www-authenticate': `${CHALLENGE}, error="${error}", error_description="${description}"${more}`,
    'cache-control': 'no-store',
    'content-type': 'application/json; charset=utf-8',
  })
  expect(response.body).toEqual({ error, error_description: description })
}

const expectInvalid = (response: Response) =>
  expectRefused(response, 401, 'invalid_token', 'The access token is not valid.')

describe('a request with a good access token', () => {
  it('passes, and the handler knows whose it is (RFC 6750 §2.1)', async () => {
    const { call, tokens } = api()
    const response = await call(`Bearer ${(await tokens()).access_token}`)
    expect(response.status).toBe(200)
    expect(response.body).toEqual({ subject: 'alice' })
    expect(response.headers).not.toHaveProperty('www-authenticate')
  })

  it.each(['bearer', 'BEARER', 'Bearer   '])(
    'passes with the scheme as %j (RFC 9110 §11.1)',
    async (scheme) => {
      const { call, tokens } = api()
      expect((await call(`${scheme} ${(await tokens()).access_token}`)).status).toBe(200)
    },
  )

  it.each([4, 5] as const)('has what the token says in req.accessToken: Express %i', async (expressMajor) => {
    const server = fixture({
      expressMajor,
      now: () => 1_800_000_000_500,
      findAccount: () => ({ accessTokenClaims: { role: 'admin' } }),
    })
    let seen: unknown
    server.app.get('/api', server.oauth.requireAccessToken({ scope: 'openid' }), (req, res) => {
      seen = req.accessToken
      res.end()
    })
    const { access_token } = await server.tokens()
    await call(server, `Bearer ${access_token}`)

    expect(seen).toEqual({
      subject: 'alice',
      clientId: 'spa',
      scope: ['openid', 'offline_access'],
      expiresAt: new Date(1_800_000_600_000),
      claims: claimsOf(access_token),
    })
    expect(seen).toMatchObject({ claims: { role: 'admin', iss: ISSUER, aud: ISSUER } })
  })

  it('passes where no scope was granted and none is needed', async () => {
    const { call, tokens } = api()
    const { access_token } = await tokens({ scope: undefined })
    expect((await call(`Bearer ${access_token}`)).status).toBe(200)
  })
})

describe('a request without one', () => {
  it.each([
    ['no Authorization', undefined],
    ['another scheme', `Basic ${Buffer.from('web:web-secret').toString('base64')}`],
    ['a scheme of a token that is bound to a key', 'DPoP abc'],
    ['a scheme that begins alike', 'Bearers abc'],
  ])('learns the scheme and nothing else: %s (RFC 6750 §3.1)', async (_what, authorization) => {
    const { call } = api({ scope: 'read' })
    const response = await call(authorization)

    expect({ status: response.status, text: response.text }).toEqual({ status: 401, text: '' })
    expect(response.headers['www-authenticate']).toBe(CHALLENGE)
    expect(response.headers['cache-control']).toBe('no-store')
  })

  it('is not helped by a token in the query or the form (RFC 9700 §4.3.2)', async () => {
    const { app, oauth, tokens } = api()
    app.post('/api', express.urlencoded({ extended: false }), oauth.requireAccessToken(), (_req, res) => {
      res.send('in')
    })
    const { access_token } = await tokens()
    const answers = [
      await request(app).get('/api').query({ access_token }),
      await request(app).post('/api').type('form').send({ access_token }),
      await request(app).get('/api').set('Cookie', `access_token=${access_token}`),
    ]
    expect(answers.map(({ status }) => status)).toEqual([401, 401, 401])
  })

  it('by HEAD has the same headers and no body (RFC 9110 §9.3.2)', async () => {
    const { app } = api()
    const response = await request(app).head('/api').set('Authorization', 'Bearer x')
    expect(response.status).toBe(401)
    expect(response.headers['www-authenticate']).toContain('error="invalid_token"')
    expect(response.text).toBeUndefined()
  })
})

describe('a token that is not good is invalid_token (RFC 6750 §3.1, RFC 9068 §4)', () => {
  const server = api()
  let tokens: Tokens
  beforeAll(async () => {
    tokens = await server.tokens()
  })
  const pem = createPublicKey(ES256).export({ type: 'spki', format: 'pem' }) as string

  it.each<[string, (tokens: Tokens) => string]>([
    ['nothing', () => 'Bearer'],
    ['a blank', () => 'Bearer  '],
    ['garbage', () => 'Bearer garbage'],
    ['two of them', ({ access_token }) => `Bearer ${access_token}, Bearer ${access_token}`],
    ['something after it', ({ access_token }) => `Bearer ${access_token} x`],
    ['characters that no token has', ({ access_token }) => `Bearer ${access_token}é`],
    ['an ID token', ({ id_token }) => `Bearer ${id_token}`],
    ['a refresh token', ({ refresh_token }) => `Bearer ${refresh_token}`],
    ['a token without its signature', ({ access_token }) => `Bearer ${access_token.replace(/[^.]+$/, '')}`],
    [
      'a token with another signature',
      ({ access_token, id_token }) =>
        `Bearer ${access_token.replace(/[^.]+$/, id_token.split('.')[2] as string)}`,
    ],
  ])('%s', async (_what, authorizationOf) => {
    expectInvalid(await server.call(authorizationOf(tokens)))
  })

  type Forgery = [string, object, object, ((input: Buffer) => Buffer)?]
  it.each<Forgery>([
    ['alg none', { alg: 'none' }, {}, () => Buffer.alloc(0)],
    [
      'HS256 with the public key as its secret (RFC 8725 §2.1)',
      { alg: 'HS256' },
      {},
      (input) => createHmac('sha256', pem).update(input).digest(),
    ],
    ['another kid', { kid: 'other' }, {}],
    ['an unknown crit (RFC 7515 §4.1.11)', { crit: ['b64'], b64: true }, {}],
    ['the typ of an ID token', { typ: 'JWT' }, {}],
    ['another issuer', {}, { iss: 'https://attacker.example' }],
    ['another audience', {}, { aud: 'https://api.example' }],
    ['no audience', {}, { aud: undefined }],
    ['its time over', {}, { exp: Math.floor(Date.now() / 1000) }],
    ['no end', {}, { exp: undefined }],
    ['no subject', {}, { sub: undefined }],
    ['a scope that is no string', {}, { scope: ['read'] }],
  ])('%s', async (...[, header, claims, signature]) => {
    const { access_token } = tokens
    const forged = jws(
      { ...headerOf(access_token), ...header },
      { ...claimsOf(access_token), ...claims },
      signature,
    )
    expectInvalid(await server.call(`Bearer ${forged}`))
  })

  it.each(['at+jwt', 'AT+JWT', 'application/at+jwt'])('but not with typ %s (RFC 9068 §4)', async (typ) => {
    const { access_token } = tokens
    const again = jws({ ...headerOf(access_token), typ }, claimsOf(access_token))
    expect((await server.call(`Bearer ${again}`)).status).toBe(200)
  })

  it('from the second on that it says', async () => {
    let now = 1_800_000_000_000
    const { call, tokens } = api({}, { now: () => now })
    const { access_token } = await tokens()
    now += 599_999
    expect((await call(`Bearer ${access_token}`)).status).toBe(200)
    now += 1
    expectInvalid(await call(`Bearer ${access_token}`))
  })
})

describe('the scope that is needed', () => {
  const missing = (scope: string) =>
    ['insufficient_scope', 'The access token lacks a scope.', `, scope="${scope}"`] as const

  it.each([
    ['read', 'read'],
    ['read', 'write read'],
    ['read write', 'write openid read'],
    ['', 'read'],
  ])('%j is in %j', async (scope, granted) => {
    const { call, tokens } = api({ scope })
    const { access_token } = await tokens({ scope: granted })
    expect((await call(`Bearer ${access_token}`)).status).toBe(200)
  })

  it.each([
    ['read', 'write'],
    ['read write', 'read'],
    ['read', undefined],
    ['rea', 'read'],
    ['READ', 'read'],
  ])(
    '%j is not in %j: 403, and the client learns what to ask for (RFC 6750 §3.1)',
    async (scope, granted) => {
      const server = api({ scope })
      const { body } = await server.exchange(await server.code({ scope: granted }))
      expectRefused(await server.call(`Bearer ${body.access_token}`), 403, ...missing(scope))
    },
  )

  it.each([
    ['a misspelled option', { scopes: 'read' }],
    ['a string instead of options', 'read'],
    ['a list of scope words', { scope: ['read'] }],
    ['a malformed scope', { scope: 'read  write' }],
    ['a scope with a quote', { scope: 'read"' }],
    ['an audience that is no string', { audience: 7 }],
  ])('is never left out by mistake: %s is refused when the guard is made', (_what, options) => {
    const { oauth } = fixture()
    expect(() => oauth.requireAccessToken(options as RequireAccessTokenOptions)).toThrow(ConfigError)
  })
})

describe('the audience', () => {
  it("is the router's own unless told (RFC 9068 §4)", async () => {
    const { call, tokens } = api({}, { audience: 'https://api.example' })
    const { access_token } = await tokens()
    expect(claimsOf(access_token).aud).toBe('https://api.example')
    expect((await call(`Bearer ${access_token}`)).status).toBe(200)
  })

  it.each([
    ['https://api.example', 'https://api.example', 200],
    ['https://api.example', 'https://other.example', 401],
    ['https://api.example', 'https://api.example/', 401],
    ['https://api.example', 'https://api', 401],
  ])('of the token is %s, of the guard %s: %i (RFC 9068 §4)', async (audience, guard, status) => {
    const { call, tokens } = api({ audience: guard }, { audience })
    expect((await call(`Bearer ${(await tokens()).access_token}`)).status).toBe(status)
  })
})

describe('checkGrant', () => {
  it('shows a revocation at once; without it, when the token expires (RFC 7009 §2.1)', async () => {
    const asking = api({ checkGrant: true })
    asking.app.get('/offline', asking.oauth.requireAccessToken(), (_req, res) => {
      res.send('in')
    })
    const { access_token, refresh_token } = await asking.tokens()
    expect((await asking.call(`Bearer ${access_token}`)).status).toBe(200)

    await asking.post('/revoke', { client_id: 'spa', token: refresh_token })
    expectInvalid(await asking.call(`Bearer ${access_token}`))
    const offline = await request(asking.app).get('/offline').set('Authorization', `Bearer ${access_token}`)
    expect(offline.status).toBe(200)
  })

  it('asks after the token is known to be good: nobody loads the store with garbage', async () => {
    let asked = 0
    const memory = memoryStore()
    const server = api(
      { checkGrant: true, scope: 'write' },
      {
        store: {
          ...memory,
          find: (key) => {
            asked += 1
            return memory.find(key)
          },
        },
      },
    )
    const { access_token } = await server.tokens({ scope: 'read' })
    asked = 0
    await server.call('Bearer garbage')
    await server.call(`Bearer ${access_token.slice(0, -10)}`)
    await server.call(`Bearer ${access_token}`)
    expect(asked).toBe(0)
  })

  it.each([
    ['fails', () => Promise.reject(new Error('down'))],
    ['hangs', () => new Promise<never>(() => {})],
  ])(
    'is 503 and never 401 when the store %s: the client keeps its token (RFC 6750 §3.1)',
    async (_what, find) => {
      let down = false
      const memory = memoryStore()
      const server = api(
        { checkGrant: true },
        {
          store: { ...memory, find: (key) => (down ? find() : memory.find(key)) },
          storeTimeoutSeconds: 0.05,
        },
      )
      const { access_token } = await server.tokens()
      down = true
      const response = await server.call(`Bearer ${access_token}`)

      expect(response.status).toBe(503)
      expect(response.headers['retry-after']).toBe('1')
      expect(response.headers).not.toHaveProperty('www-authenticate')
      expect(response.body).toEqual({
        error: 'temporarily_unavailable',
        error_description: expect.any(String),
      })
      expect(server.eventsOf('store.trouble')).toMatchObject([{ operation: 'find' }])
    },
  )
})

describe('without Express', () => {
  it('guards a server of node:http', async () => {
    const { oauth, tokens } = fixture()
    const guard = oauth.requireAccessToken({ scope: 'openid' })
    const server = createServer((req, res) =>
      guard(req, res, () => {
        const { accessToken } = req as typeof req & { accessToken: { subject: string } }
        res.setHeader('Content-Type', 'text/plain').end(`hello ${accessToken.subject}`)
      }),
    )
    const { access_token } = await tokens()

    const good = await request(server).get('/').set('Authorization', `Bearer ${access_token}`)
    expect({ status: good.status, text: good.text }).toEqual({ status: 200, text: 'hello alice' })
    expectInvalid(await request(server).get('/').set('Authorization', 'Bearer x'))
  })

  it('guards an app of Express 4', async () => {
    const { oauth, tokens } = fixture({ expressMajor: 4 })
    const app = (express4 as unknown as typeof express)() as Express
    app.use('/api', oauth.requireAccessToken(), (req, res) => {
      res.json(req.accessToken?.subject)
    })
    const { access_token } = await tokens()
    expect((await call({ app }, `Bearer ${access_token}`)).body).toBe('alice')
    expectInvalid(await call({ app }, 'Bearer x'))
  })
})

it('lets in nobody with a token of another server that shares store, secret and keys (RFC 9068 §4)', async () => {
  const store = memoryStore()
  const here = api({ checkGrant: true }, { store, audience: 'api' })
  const there = fixture({ store, audience: 'api', issuer: 'http://127.0.0.1:3000/oauth' })
  expectInvalid(await here.call(`Bearer ${(await there.tokens()).access_token}`))
})
