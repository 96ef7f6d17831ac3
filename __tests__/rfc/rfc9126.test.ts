// Pushed authorization requests, clause by clause (RFC 9126). Where a user logs in and consents in between, too.
import { createHash, createPublicKey, randomBytes } from 'node:crypto'
import request, { type Response } from 'supertest'
import { type AuthorizeFunction, memoryStore, OAuthError, type TokenStore } from '../../lib'
import {
  APPROVAL,
  CALLBACK,
  CHALLENGE,
  CLIENTS,
  ES256,
  expectErrorPage,
  expectRefusal,
  expectToldToClient,
  expectUnavailable,
  expectUncached,
  type Fixture,
  fixture,
  ISSUER,
  redirected,
} from '../support/fixture'

const PREFIX = 'urn:ietf:params:oauth:request_uri:'

const PUSHED = {
  client_id: 'spa',
  response_type: 'code',
  redirect_uri: CALLBACK,
  scope: 'openid offline_access',
  state: 'a state',
  nonce: 'a-nonce',
  code_challenge: CHALLENGE,
  code_challenge_method: 'S256',
}

type Parameters = Record<string, string | undefined>

function push(server: Fixture, overrides: Parameters = {}) {
  const form = Object.entries({ ...PUSHED, ...overrides }).filter(([, value]) => value !== undefined)
  return server.post('/par', Object.fromEntries(form) as Record<string, string>)
}

async function pushed(server: Fixture, overrides?: Parameters): Promise<string> {
  const { status, body, text } = await push(server, overrides)
  if (status !== 201) throw new Error(`not pushed: ${status} ${text}`)
  return body.request_uri
}

const pathOf = (requestUri: string, more: Record<string, string> = {}) =>
  `/oauth/authorize?${new URLSearchParams({ client_id: 'spa', request_uri: requestUri, ...more })}`

function open(server: Fixture, requestUri: string, more?: Record<string, string>) {
  return server.get(pathOf(requestUri, more))
}

/** The cookie that the browser sends along when it comes back. */
function cookieOf({ headers }: Response): string {
  return [headers['set-cookie'] ?? []]
    .flat()
    .map((cookie: string) => cookie.split(';')[0])
    .join('; ')
}

/** Shows a page, and answers when its form comes back. */
const consent: AuthorizeFunction = ({ form }, _req, res) => {
  if (form) return form.get('decision') === 'allow' ? APPROVAL : { error: 'access_denied' }
  res.send('Allow?')
  return undefined
}

const decide = (server: Fixture, requestUri: string, decision = 'allow') =>
  request(server.app).post(pathOf(requestUri)).type('form').send({ decision })

/** As a browser shows it to the user; a spent, unknown or expired one is told alike. */
function expectInvalidRequestUri(response: Response): void {
  expectErrorPage(response)
  expect(response.text).toContain('<code>invalid_request_uri</code>')
}

const SUCCESS = { code: expect.any(String), state: 'a state', iss: ISSUER }

describe('the pushed authorization request endpoint', () => {
  it('answers 201 with a URI of 256 random bits and the seconds it is good for (§2.2, §7.1)', async () => {
    const server = fixture()
    const response = await push(server)
    expect(response.status).toBe(201)
    expectUncached(response)
    expect(response.body).toEqual({
      request_uri: expect.stringMatching(/^urn:ietf:params:oauth:request_uri:[\w-]{43}$/),
      expires_in: 60,
    })
    expect(await pushed(server)).not.toBe(response.body.request_uri)
  })

  it.each([
    [90, 90],
    [90.9, 90],
    [599, 599],
  ])('says as a whole number how long that is, by lifetimes: %s (§2.2)', async (given, told) => {
    const server = fixture({ lifetimes: { pushedRequestSeconds: given } })
    expect((await push(server)).body.expires_in).toBe(told)
  })

  it('authenticates clients as the token endpoint does (§2)', async () => {
    const server = fixture()
    const asWeb = push(server, { client_id: 'web' }).auth('web', 'web-secret')
    expect((await asWeb).status).toBe(201)
    expect((await push(server, { client_id: 'post', client_secret: 'post-secret' })).status).toBe(201)

    const wrong = await push(server, { client_id: 'web' }).auth('web', 'wrong')
    expectRefusal(wrong, 401, 'invalid_client')
    expect(wrong.headers['www-authenticate']).toMatch(/^Basic /)
    expectRefusal(await push(server, { client_id: 'web' }), 401, 'invalid_client')
    expectRefusal(await push(server, { client_id: 'nobody' }), 401, 'invalid_client')
    expectRefusal(await push(server, { client_id: 'spa' }).auth('web', 'web-secret'), 400, 'invalid_request')
  })

  it('wants the client_id in the request itself, even beside Basic (§2.1)', async () => {
    const response = await push(fixture(), { client_id: undefined }).auth('web', 'web-secret')
    expectRefusal(response, 400, 'invalid_request')
  })

  it('takes no request_uri (§2.1)', async () => {
    const server = fixture()
    for (const request_uri of [await pushed(server), 'https://client.example/request'])
      expectRefusal(await push(server, { request_uri }), 400, 'invalid_request')
  })

  it.each<[error: string, overrides: Parameters]>([
    ['invalid_request', { redirect_uri: 'https://attacker.example/callback' }],
    ['invalid_request', { redirect_uri: undefined }],
    ['invalid_request', { response_type: undefined }],
    ['unsupported_response_type', { response_type: 'token' }],
    ['invalid_request', { response_mode: 'fragment' }],
    ['invalid_request', { code_challenge: undefined, code_challenge_method: undefined }],
    ['invalid_request', { code_challenge_method: 'plain' }],
    ['invalid_scope', { scope: 'admin' }],
    ['invalid_request', { max_age: 'soon' }],
    ['invalid_target', { resource: 'https://api.example' }],
    ['invalid_request', { prompt: 'none login' }],
    ['invalid_request', { claims: '[]' }],
    ['invalid_request', { id_token_hint: 'x.y.z' }],
    ['request_not_supported', { request: 'x.y.z' }],
  ])(
    'checks what the authorization endpoint checks, and tells %s at once: %j (§2.1, §2.3)',
    async (error, overrides) => {
      const server = fixture()
      const response = await push(server, overrides)
      expectRefusal(response, 400, error)
      expect(response.headers).not.toHaveProperty('location')
      expect(server.eventsOf('request.refused')).toMatchObject([
        { endpoint: 'pushed_authorization_request', status: 400, error, clientId: 'spa' },
      ])
    },
  )

  it('takes no parameter twice (RFC 6749 §3.1)', async () => {
    const twice = `${new URLSearchParams(PUSHED)}&state=another`
    expectRefusal(await fixture().post('/par', twice), 400, 'invalid_request')
  })

  it('reads the body alone, and no credentials from the query (RFC 6749 §2.3.1)', async () => {
    const { app } = fixture()
    const inQuery = await request(app)
      .post(`/oauth/par?${new URLSearchParams(PUSHED)}`)
      .type('form')
      .send('')
    expectRefusal(inQuery, 401, 'invalid_client')
    const secret = await request(app)
      .post('/oauth/par?client_secret=post-secret')
      .type('form')
      .send({ ...PUSHED, client_id: 'post' })
    expectRefusal(secret, 400, 'invalid_request')
  })

  it.each(['get', 'put', 'delete'] as const)('answers %s with 405 (§2.3)', async (method) => {
    const response = await request(fixture().app)[method]('/oauth/par')
    expect(response.status).toBe(405)
    expect(response.headers.allow).toBe('POST, OPTIONS')
  })

  it('answers 413 to what is too large (§2.3)', async () => {
    expectRefusal(await push(fixture(), { state: 'x'.repeat(70_000) }), 413, 'invalid_request')
    expectRefusal(await push(fixture(), { state: 'x'.repeat(16_384) }), 413, 'invalid_request')
    expect((await push(fixture(), { state: 'x'.repeat(15_000) })).status).toBe(201)
  })

  it('answers 429 to too many failures, with Retry-After (§2.3)', async () => {
    const server = fixture({ rateLimit: { failuresPerClient: 1 } })
    await push(server, { scope: 'admin' })
    const response = await push(server)
    expectRefusal(response, 429, 'temporarily_unavailable')
    expect(Number(response.headers['retry-after'])).toBeGreaterThan(0)
  })

  it('is open to scripts of other origins, like the token endpoint (OAuth 2.1 §3)', async () => {
    const response = await push(fixture({ cors: ['https://spa.example'] })).set(
      'Origin',
      'https://spa.example',
    )
    expect(response.headers['access-control-allow-origin']).toBe('https://spa.example')
    expect(response.headers).not.toHaveProperty('access-control-allow-credentials')
  })

  it('is the same on Express 4', async () => {
    const server = fixture({ expressMajor: 4 })
    expect(redirected(await open(server, await pushed(server)))).toEqual(SUCCESS)
  })

  it('is not there where nothing authorizes', async () => {
    expect((await push(fixture({ authorize: undefined }))).status).toBe(404)
  })
})

describe('a pushed request at the authorization endpoint (§4)', () => {
  it('is as good as one in a query', async () => {
    const server = fixture()
    const { code, ...others } = redirected(await open(server, await pushed(server)))
    expect(others).toEqual({ state: 'a state', iss: ISSUER })
    expect((await server.exchange(code as string)).body).toMatchObject({ scope: 'openid offline_access' })
  })

  it('may be posted as well (OIDC Core §3.1.2.1)', async () => {
    const server = fixture()
    const form = { client_id: 'spa', request_uri: await pushed(server) }
    const { headers } = await server.post('/authorize', form)
    expect(redirected(await server.get(headers.location as string))).toEqual(SUCCESS)
  })

  it('counts alone: what the query says beside it is ignored (RFC 9101 §6.3)', async () => {
    const server = fixture()
    const forged = {
      redirect_uri: 'https://attacker.example/callback',
      state: 'forged',
      scope: 'openid',
      response_mode: 'form_post',
      code_challenge: 'x'.repeat(43),
      prompt: 'none login',
    }
    const response = await open(server, await pushed(server), forged)
    expect(response.headers.location).toMatch(`${CALLBACK}?`)
    const { code, ...others } = redirected(response)
    expect(others).toEqual({ state: 'a state', iss: ISSUER })
    expect((await server.exchange(code as string)).body.scope).toBe('openid offline_access')
  })

  it('may name several resources (RFC 8707 §2)', async () => {
    const resources = ['https://api.example', 'https://other.example']
    let seen: readonly string[] = []
    const server = fixture({
      resources,
      authorize: (authorization) => {
        seen = authorization.resources
        return APPROVAL
      },
    })
    const form = new URLSearchParams([
      ...Object.entries(PUSHED),
      ...resources.map((resource) => ['resource', resource] as [string, string]),
    ])
    const { body } = await server.post('/par', form.toString())
    expect(redirected(await open(server, body.request_uri, { resource: 'https://forged.example' }))).toEqual(
      SUCCESS,
    )
    expect(seen).toEqual(resources)
  })

  it('keeps no parameter of the query where it has none itself (RFC 9101 §6.3)', async () => {
    let state: string | undefined = 'not asked'
    const server = fixture({
      authorize: (authorization) => {
        state = authorization.state
        return APPROVAL
      },
    })
    await open(server, await pushed(server, { state: undefined }), { state: 'forged' })
    expect(state).toBeUndefined()
  })

  it.each([
    ['unknown', `${PREFIX}${randomBytes(32).toString('base64url')}`],
    ['too short', `${PREFIX}x`],
    ['empty', PREFIX],
    ['longer', `${PREFIX}${'x'.repeat(44)}`],
    ['with a null character', `${PREFIX}${'x'.repeat(42)}\0`],
  ])(
    'is invalid_request_uri for the user where it is %s: nobody vouches for a redirect URI (§4)',
    async (_what, uri) => {
      const response = await open(fixture(), uri, { redirect_uri: CALLBACK, response_type: 'code' })
      expectInvalidRequestUri(response)
    },
  )

  it('never asks the store for what cannot be one', async () => {
    const asked: string[] = []
    const store = { ...memoryStore(), get: async (key: string) => void asked.push(key) }
    await open(fixture({ store }), `${PREFIX}${'*'.repeat(43)}`)
    expect(asked).toEqual([])
  })

  it('is bound to the client that pushed it (§2.2)', async () => {
    const server = fixture()
    const requestUri = await pushed(server)
    expectInvalidRequestUri(await open(server, requestUri, { client_id: 'other' }))
    // And the other has not used it up.
    expect(redirected(await open(server, requestUri))).toEqual(SUCCESS)
  })

  it('needs the client_id beside it (§4)', async () => {
    const server = fixture()
    const { status, text } = await server.get(
      `/oauth/authorize?request_uri=${encodeURIComponent(await pushed(server))}`,
    )
    expect(status).toBe(400)
    expect(text).toContain('client_id is missing')
  })

  it('of another server with the same store is unknown', async () => {
    const store = memoryStore()
    const requestUri = await pushed(fixture({ store, issuer: 'http://127.0.0.1:3000/oauth' }))
    expectInvalidRequestUri(await open(fixture({ store }), requestUri))
  })

  it('is checked again: a client may have changed in between (§4, §7.4)', async () => {
    let clients = CLIENTS
    const server = fixture({ clients: (id) => clients.find(({ client_id }) => client_id === id) })
    const [one, two] = [await pushed(server), await pushed(server)]

    clients = CLIENTS.map((client) => ({ ...client, scope: 'email' }))
    expectToldToClient(await open(server, one), 'invalid_scope')
    clients = CLIENTS.map((client) => ({ ...client, redirect_uris: ['https://client.example/new'] }))
    expectErrorPage(await open(server, two))
  })

  it.each(['https://client.example/request.jwt', 'urn:example:1', 'URN:ietf:params:oauth:request_uri:x'])(
    'is nothing that the server would have to fetch: %s (RFC 9101 §5.2.2, OIDC Core §6.2)',
    async (request_uri) => {
      expectToldToClient(await fixture().authorize({ request_uri }), 'request_uri_not_supported')
    },
  )

  it('excludes a request object beside it (RFC 9101 §5)', async () => {
    const server = fixture()
    const response = await server.authorize({ request_uri: await pushed(server), request: 'x.y.z' })
    expectToldToClient(response, 'invalid_request')
  })

  it('is named to the host, by data alone: it may be kept in a session', async () => {
    let kept = ''
    const server = fixture({
      authorize: (authorization, _req, res) => {
        kept = JSON.stringify(authorization)
        res.send('a page')
        return undefined
      },
    })
    const requestUri = await pushed(server)
    await open(server, requestUri)
    const restored = JSON.parse(kept)
    expect(restored.requestUri).toBe(requestUri)
    const { redirectTo } = await server.oauth.issueCode(restored, APPROVAL)
    expect(redirectTo).toMatch(/[?&]code=/)
    await expect(server.oauth.issueCode(restored, APPROVAL)).rejects.toMatchObject({
      code: 'invalid_request_uri',
    })
  })

  it("works with an authorize page of the host's own", async () => {
    const server = fixture({
      authorize: undefined,
      authorizationEndpoint: 'http://localhost:3000/connect',
      before: (app) =>
        app.get('/connect', async (req, res) => {
          const read = await server.oauth.readAuthorizationRequest(req, res).catch((error) => error)
          if (read instanceof Error) return void res.status(400).send(read.message)
          const response = await server.oauth.issueCode(read, APPROVAL)
          response.send(res)
        }),
    })
    const requestUri = await pushed(server)
    const url = pathOf(requestUri).replace('/oauth/authorize', '/connect')
    expect(redirected(await server.get(url))).toEqual(SUCCESS)
    expect((await server.get(url)).text).toMatch(/^invalid_request_uri/)
  })
})

describe('one use (§4, §7.3)', () => {
  it.each([
    ['an approval', 'allow', SUCCESS],
    [
      'a denial',
      'deny',
      { error: 'access_denied', error_description: expect.any(String), state: 'a state', iss: ISSUER },
    ],
  ])('ends with %s; until then the user may reload', async (_what, decision, answer) => {
    const server = fixture({ authorize: consent })
    const requestUri = await pushed(server)
    for (let i = 0; i < 3; i++) expect((await open(server, requestUri)).text).toBe('Allow?')

    expect(redirected(await decide(server, requestUri, decision))).toEqual(answer)
    expectInvalidRequestUri(await open(server, requestUri))
    expectInvalidRequestUri(await decide(server, requestUri))
  })

  it('ends with a silent no as well (OIDC Core §3.1.2.6)', async () => {
    const server = fixture({
      authorize: (authorization) => {
        authorization.nextStep(undefined)
      },
    })
    const requestUri = await pushed(server, { prompt: 'none' })
    expectToldToClient(await open(server, requestUri), 'login_required')
    expectInvalidRequestUri(await open(server, requestUri))
  })

  it('ends with a login that is approved and was not asked for (OIDC Core §3.1.2.1)', async () => {
    let approving = false
    const server = fixture({
      authorize: (_authorization, _req, res) => {
        if (approving) return APPROVAL
        res.send('a page')
        return undefined
      },
    })
    const requestUri = await pushed(server, { prompt: 'login' })
    const cookie = cookieOf(await open(server, requestUri))
    approving = true
    const refused = await open(server, requestUri).set('Cookie', cookie)
    expectToldToClient(refused, 'login_required')
    expect(refused.headers['set-cookie']).toEqual([expect.stringMatching(/^oauth_visits=; Max-Age=0; /)])
    expectInvalidRequestUri(await open(server, requestUri).set('Cookie', cookie))
    expect(server.eventsOf('code.issued')).toEqual([])
  })

  it("ends so on an authorize page of the host's own as well, and the client can be told", async () => {
    const { oauth, ...server } = fixture({
      authorize: undefined,
      authorizationEndpoint: 'http://localhost:3000/connect',
      before: (app) =>
        app.get('/connect', async (req, res) => {
          try {
            const read = await oauth.readAuthorizationRequest(req, res)
            const response = await oauth.issueCode(read, APPROVAL)
            response.send(res)
          } catch (error) {
            if (!(error instanceof OAuthError)) throw error
            if (error.response) error.response.send(res)
            else res.status(error.status).send(error.message)
          }
        }),
    })
    const requestUri = (await server.post('/par', { ...PUSHED, prompt: 'login' })).body.request_uri
    const url = pathOf(requestUri).replace('/oauth/authorize', '/connect')
    expectToldToClient(await server.get(url), 'login_required')
    expect((await server.get(url)).text).toMatch(/^invalid_request_uri/)
  })

  it('of 50 approvals at once, one gets a code, and the others are told to the client', async () => {
    const store = memoryStore()
    let inserted = 0
    const counting: TokenStore = {
      ...store,
      insert: (grant) => {
        inserted += 1
        return store.insert(grant)
      },
    }
    // Until all of them have been read: none is refused because it came too late.
    let arrived = 0
    let letAllPass = () => {}
    const all = new Promise<void>((resolve) => {
      letAllPass = resolve
    })
    const server = fixture({
      store: counting,
      authorize: async () => {
        arrived += 1
        if (arrived === 50) letAllPass()
        await all
        return APPROVAL
      },
    })
    const requestUri = await pushed(server)
    const answers = await Promise.all(Array.from({ length: 50 }, () => open(server, requestUri)))

    const codes = answers.filter((answer) => redirected(answer).code !== undefined)
    expect(codes).toHaveLength(1)
    expect(redirected(codes[0] as Response)).toEqual(SUCCESS)
    for (const answer of answers.filter((one) => one !== codes[0]))
      expectToldToClient(answer, 'invalid_request_uri')
    expect(inserted).toBe(1)
    expect(server.eventsOf('code.issued')).toHaveLength(1)
  })

  it('is not spent by trouble of the host: the user reloads', async () => {
    let broken = true
    const server = fixture({
      authorize: () => {
        if (broken) throw new Error('no template')
        return APPROVAL
      },
    })
    const requestUri = await pushed(server)
    expectToldToClient(await open(server, requestUri), 'temporarily_unavailable')
    broken = false
    expect(redirected(await open(server, requestUri))).toEqual(SUCCESS)
  })

  it('is not spent by trouble of the library inside of the host, which is no denial', async () => {
    let down = true
    const inner = memoryStore()
    const list: TokenStore['list'] = (...given) =>
      down ? Promise.reject(new Error('down')) : inner.list(...given)
    const server = fixture({
      store: { ...inner, list },
      authorize: async () => {
        await server.oauth.grants.list('alice')
        return APPROVAL
      },
    })
    const requestUri = await pushed(server)
    expectToldToClient(await open(server, requestUri), 'temporarily_unavailable')
    expect(server.eventsOf('authorization.denied')).toEqual([])
    expect(server.eventsOf('host.trouble')).toMatchObject([
      { operation: 'authorize', cause: { name: 'OAuthError', status: 503 } },
    ])
    down = false
    expect(redirected(await open(server, requestUri))).toEqual(SUCCESS)
  })

  it('is not spent where nobody can sign that a login was not the one asked for', async () => {
    let down = true
    const publicJwk = createPublicKey(ES256).export({ format: 'jwk' })
    const sign = async () => (down ? Promise.reject(new Error('KMS is down')) : 'a.b.c')
    const signingKeys = [{ alg: 'ES256' as const, kid: 'kms', publicJwk, sign }]
    const server = fixture({ signingKeys })
    const requestUri = await pushed(server, { response_mode: 'jwt', prompt: 'login' })
    expectErrorPage(await open(server, requestUri), 503)
    down = false
    expect(redirected(await open(server, requestUri))).toEqual({ response: 'a.b.c' })
    expectInvalidRequestUri(await open(server, requestUri))
  })

  it.each(['allow', 'deny'])('is not spent where the response cannot be signed: %s', async (decision) => {
    let down = true
    const publicJwk = createPublicKey(ES256).export({ format: 'jwk' })
    const sign = async () => (down ? Promise.reject(new Error('KMS is down')) : 'a.b.c')
    const signingKeys = [{ alg: 'ES256' as const, kid: 'kms', publicJwk, sign }]
    const server = fixture({ signingKeys, authorize: consent })
    const requestUri = await pushed(server, { response_mode: 'jwt' })
    expectErrorPage(await decide(server, requestUri, decision), 503)
    down = false
    expect(redirected(await decide(server, requestUri, decision))).toEqual({ response: 'a.b.c' })
  })
})

describe('expiry (§2.2, §4)', () => {
  let clock = Date.parse('2026-05-04T10:00:00Z')
  const wait = (seconds: number) => {
    clock += seconds * 1000
  }
  const now = () => clock
  const timed = (authorize: AuthorizeFunction = consent) =>
    fixture({ authorize, now, store: memoryStore({ now }) })

  it.each([
    ['a second before', 59, true],
    ['at that moment', 60, false],
    ['after an hour', 3600, false],
    ['after its record is gone', 4000, false],
  ])('a browser that comes first %s: %i s', async (_when, seconds, good) => {
    const server = timed()
    const requestUri = await pushed(server)
    wait(seconds)
    const response = await open(server, requestUri)
    if (good) expect(response.text).toBe('Allow?')
    else expectInvalidRequestUri(response)
  })

  it('leaves time for login and consent to a browser that came in time', async () => {
    const server = timed()
    const requestUri = await pushed(server)
    wait(59)
    const cookie = cookieOf(await open(server, requestUri))
    wait(3500)
    expect((await open(server, requestUri).set('Cookie', cookie)).text).toBe('Allow?')
    expect(redirected(await decide(server, requestUri).set('Cookie', cookie))).toEqual(SUCCESS)
  })

  it('leaves it to no other browser', async () => {
    const server = timed()
    const requestUri = await pushed(server)
    const cookie = cookieOf(await open(server, requestUri))
    const elsewhere = cookieOf(await open(server, await pushed(server)))
    wait(60)
    expectInvalidRequestUri(await open(server, requestUri))
    expectInvalidRequestUri(await open(server, requestUri).set('Cookie', elsewhere))
    expectInvalidRequestUri(await decide(server, requestUri))
    expect((await open(server, requestUri).set('Cookie', cookie)).text).toBe('Allow?')
  })

  it.each([90, -90, 3000, -3000])(
    'is by the clock of the store: a second server whose clock is %i s off asks alike',
    async (off) => {
      const store = memoryStore({ now })
      const one = fixture({ authorize: consent, store, now })
      const other = fixture({ authorize: consent, store, now: () => clock + off * 1000 })
      const [early, late] = [await pushed(one), await pushed(one)]
      wait(59)
      const cookie = cookieOf(await open(other, early))
      wait(1)
      expectInvalidRequestUri(await open(other, late))
      // Back from the login, at either of them.
      expect((await open(one, early).set('Cookie', cookie)).text).toBe('Allow?')
      expect(redirected(await decide(other, early).set('Cookie', cookie))).toEqual(SUCCESS)
    },
  )

  it('leaves it not for ever', async () => {
    const server = timed()
    const requestUri = await pushed(server)
    const cookie = cookieOf(await open(server, requestUri))
    wait(3600)
    expectInvalidRequestUri(await open(server, requestUri).set('Cookie', cookie))
  })

  it('lets a login that the request demands take longer (OIDC Core §3.1.2.1)', async () => {
    let authTime: Date | undefined
    const server = timed((authorization, _req, res) => {
      const login = authTime && { subject: 'alice', authTime }
      const step = authorization.nextStep(login, true)
      if (step === 'approve' && login) return login
      res.redirect(303, `/login?return_to=${encodeURIComponent(authorization.returnTo)}`)
      return undefined
    })
    const away = await open(server, await pushed(server, { prompt: 'login' }))
    const back = new URLSearchParams(away.headers.location?.split('?')[1]).get('return_to') as string
    wait(600)
    authTime = new Date(clock)
    expect(redirected(await server.get(back).set('Cookie', cookieOf(away)))).toEqual(SUCCESS)
  })
})

describe('where pushing is required', () => {
  const required = { requirePushedAuthorizationRequests: true }
  const bySpa = {
    clients: CLIENTS.map((client) =>
      client.client_id === 'spa' ? { ...client, require_pushed_authorization_requests: true } : client,
    ),
  }

  it.each([
    ['for all (§5)', required],
    ['for this client (§6)', bySpa],
  ])(
    '%s, a request of any other kind is invalid_request, and the client is told (§4)',
    async (_who, options) => {
      const server = fixture(options)
      expectToldToClient(await server.authorize(), 'invalid_request')
      expect(server.eventsOf('request.refused')).toMatchObject([
        { reason: 'request_not_pushed', clientId: 'spa' },
      ])
      expect(redirected(await open(server, await pushed(server)))).toEqual(SUCCESS)
    },
  )

  it('for one client, others need not (§6)', async () => {
    const server = fixture(bySpa)
    expect(redirected(await server.authorize({ client_id: 'other' }))).toEqual(SUCCESS)
  })

  it.each([
    ['by default', {}, false],
    ['for all', required, true],
    ['for one client', bySpa, false],
  ])('the metadata says so: %s (§5)', async (_when, options, told) => {
    const { body } = await fixture(options).get('/.well-known/oauth-authorization-server/oauth')
    expect(body).toMatchObject({
      pushed_authorization_request_endpoint: `${ISSUER}/par`,
      require_pushed_authorization_requests: told,
    })
  })
})

describe('the store', () => {
  /** What was put into it. */
  function noting() {
    const put: { key: string; value: string; ttl: number }[] = []
    const inner = memoryStore()
    const store: TokenStore = {
      ...inner,
      put: (key, value, ttl) => {
        put.push({ key, value, ttl })
        return inner.put(key, value, ttl)
      },
    }
    return { store, put }
  }

  it('holds a hash of the URI, what is asked for, and no credential (§7.1)', async () => {
    const { store, put } = noting()
    const server = fixture({ store, now: () => 1_800_000_000_000 })
    const requestUri = await pushed(server, { client_id: 'post', client_secret: 'post-secret', unknown: 'x' })

    const reference = requestUri.slice(PREFIX.length)
    const hash = createHash('sha256').update(`${ISSUER}\0${reference}`).digest('base64url')
    expect(put).toEqual([
      { key: `par:${hash}`, value: expect.any(String), ttl: 60 + 3600 },
      { key: `par:${hash}:open`, value: '', ttl: 60 },
    ])
    const { parameters, ...kept } = JSON.parse(put[0]?.value as string)
    expect(kept).toEqual({ client_id: 'post', signed: false })
    expect(Object.fromEntries(parameters)).toEqual({ ...PUSHED, client_id: 'post' })
  })

  it.each(['put', 'get', 'take', 'insert'] as const)(
    'that fails in %s is a 503: nobody is told that the request is not good',
    async (operation) => {
      const inner = memoryStore()
      let down = operation === 'put'
      const failing: TokenStore = {
        ...inner,
        [operation]: (...given: unknown[]) =>
          down ? Promise.reject(new Error('down')) : Reflect.apply(inner[operation], inner, given),
      }
      const server = fixture({ store: failing })
      if (operation === 'put') return expectUnavailable(await push(server))

      const requestUri = await pushed(server)
      down = true
      const response = await open(server, requestUri)
      if (operation === 'get') {
        expectErrorPage(response, 503)
        expect(response.headers['retry-after']).toBe('1')
      } else expectToldToClient(response, 'temporarily_unavailable')
      down = false
      // Whether it was spent is unknown to the client; who took it and could not go on has spent it.
      const again = await open(server, requestUri)
      if (operation === 'insert') expectInvalidRequestUri(again)
      else expect(redirected(again)).toEqual(SUCCESS)
    },
  )

  it.each([
    ['no JSON', 'x'],
    ['null', 'null'],
    ['another shape', '{"client_id":"spa"}'],
    ['a flag of another type', JSON.stringify({ client_id: 'spa', signed: 1, parameters: [] })],
    [
      'a parameter of another type',
      JSON.stringify({ client_id: 'spa', signed: false, parameters: [['scope', 1]] }),
    ],
  ])('that answers with %s is trouble of ours: 503, and one event', async (_what, value) => {
    const server = fixture({ store: { ...memoryStore(), get: async () => value } })
    expectErrorPage(await open(server, `${PREFIX}${'x'.repeat(43)}`), 503)
    expect(server.eventsOf('store.trouble')).toMatchObject([{ operation: 'decode' }])
  })
})
