import express from 'express'
import express4 from 'express4'
import request from 'supertest'
import { type AuthorizationRequest, type Client, OAuthError } from '../../lib'
import {
  APPROVAL,
  CALLBACK,
  CHALLENGE,
  CLIENTS,
  claimsOf,
  expectErrorPage,
  expectToldToClient,
  fixture,
  ISSUER,
  redirected,
} from '../support/fixture'

const client = (overrides: Partial<Client>): Client => ({
  client_id: 'app',
  token_endpoint_auth_method: 'none',
  redirect_uris: [CALLBACK],
  ...overrides,
})

const GOOD = {
  response_type: 'code',
  client_id: 'spa',
  redirect_uri: CALLBACK,
  code_challenge: CHALLENGE,
  code_challenge_method: 'S256',
}

describe('client and redirect URI', () => {
  const server = fixture({
    clients: [
      ...CLIENTS,
      client({
        client_id: 'native',
        redirect_uris: ['http://127.0.0.1/cb', 'http://[::1]/cb', 'http://localhost:8080/cb?a=1'],
        application_type: 'native',
      }),
      client({ client_id: 'loopback-web', redirect_uris: ['http://127.0.0.1:8080/cb'] }),
      client({ client_id: 'two', redirect_uris: [CALLBACK, `${CALLBACK}/2`] }),
      client({ client_id: 'nowhere', redirect_uris: [], grant_types: [] }),
    ],
  })

  it.each([
    ['no client_id', { client_id: undefined }],
    ['an empty client_id', { client_id: '' }],
    ['an unknown client', { client_id: 'nobody' }],
    ['a client_id that an object has', { client_id: '__proto__' }],
    ['a client_id in another case', { client_id: 'SPA' }],
    ['no redirect_uri in an OpenID request (OIDC Core §3.1.2.1)', { redirect_uri: undefined }],
    ['a client without any', { client_id: 'nowhere' }],
    ['another host', { redirect_uri: 'https://attacker.example/callback' }],
    ['a host that begins alike', { redirect_uri: 'https://client.example.attacker.example/callback' }],
    ['a user before the host', { redirect_uri: 'https://client.example@attacker.example/callback' }],
    ['another case of the path', { redirect_uri: 'https://client.example/Callback' }],
    ['another case of the host', { redirect_uri: 'https://CLIENT.example/callback' }],
    ['a slash more', { redirect_uri: `${CALLBACK}/` }],
    ['a slash less', { redirect_uri: 'https://client.examplecallback' }],
    ['another scheme', { redirect_uri: 'http://client.example/callback' }],
    ['a port', { redirect_uri: 'https://client.example:443/callback' }],
    ['a query', { redirect_uri: `${CALLBACK}?next=https://attacker.example` }],
    ['a fragment', { redirect_uri: `${CALLBACK}#` }],
    ['a path that leads elsewhere', { redirect_uri: `${CALLBACK}/../open-redirect` }],
    ['an encoded character', { redirect_uri: 'https://client.example/%63allback' }],
    ['a blank around', { redirect_uri: ` ${CALLBACK}` }],
    ['a line break', { redirect_uri: `${CALLBACK}\r\nSet-Cookie: a=b` }],
    ['a null character', { redirect_uri: `${CALLBACK}\0` }],
    ['a script', { redirect_uri: 'javascript:alert(1)' }],
    ['markup', { redirect_uri: '"><script>alert(1)</script>' }],
    ['one of another client', { client_id: 'native' }],
    ['another port of a web client', { client_id: 'loopback-web', redirect_uri: 'http://127.0.0.1:1/cb' }],
    ['another loopback path', { client_id: 'native', redirect_uri: 'http://127.0.0.1:1/other' }],
    ['another loopback query', { client_id: 'native', redirect_uri: 'http://localhost:1/cb?a=2' }],
    ['another loopback name', { client_id: 'native', redirect_uri: 'http://localhost:1/cb' }],
    ['a port that is a password', { client_id: 'native', redirect_uri: 'http://127.0.0.1:1@x.example/cb' }],
    ['a name like a loopback', { client_id: 'native', redirect_uri: 'http://127.0.0.1.x.example/cb' }],
    ['loopback by https', { client_id: 'native', redirect_uri: 'https://127.0.0.1:1/cb' }],
    ['a loopback address of another spelling', { client_id: 'native', redirect_uri: 'http://127.1:1/cb' }],
  ])('sends the browser nowhere: %s (RFC 6749 §4.1.2.1, RFC 9700 §2.1)', async (_what, overrides) => {
    expectErrorPage(await server.authorize(overrides))
  })

  it.each([
    ['http://127.0.0.1:51004/cb'],
    ['http://127.0.0.1/cb'],
    ['http://[::1]:61023/cb'],
    ['http://localhost:61023/cb?a=1'],
  ])('lets a native app listen at any loopback port: %s (RFC 8252 §7.3)', async (redirectUri) => {
    const response = await server.authorize({ client_id: 'native', redirect_uri: redirectUri })

    expect(response.status).toBe(303)
    expect(response.headers.location).toMatch(/[?&]code=[\w-]{52}&state=a\+state&iss=/)
    expect(response.headers.location?.startsWith(redirectUri)).toBe(true)
  })

  it('takes the only registered redirect URI where none is named (RFC 6749 §3.1.2.3)', async () => {
    const code = await server.code({ redirect_uri: undefined, scope: undefined })
    const response = await server.exchange(code, { redirect_uri: undefined })
    expect(response.status).toBe(200)
  })

  it('takes none where several are registered (RFC 6749 §3.1.2.3)', async () => {
    expectErrorPage(await server.authorize({ client_id: 'two', redirect_uri: undefined, scope: undefined }))
  })

  it.each(['client_id', 'redirect_uri'])(
    'sends the browser nowhere with %s twice (RFC 6749 §3.1)',
    async (name) => {
      const value = (GOOD as Record<string, string>)[name] as string
      expectErrorPage(await server.authorize().query(`${name}=${value}`))
    },
  )

  it.each(['web\0', 'web\r\n', 'wéb', 'x'.repeat(256)])(
    'asks the host for no client of an impossible name: %# (RFC 6749 App. A.1)',
    async (clientId) => {
      const asked: string[] = []
      const { authorize } = fixture({
        clients: (id) => {
          asked.push(id)
          return undefined
        },
      })

      expectErrorPage(await authorize({ client_id: clientId }))
      expect(asked).toEqual([])
    },
  )

  it.each(['https://client.example/#', 'javascript:alert(1)//', 'data:text/html,hello', '/callback'])(
    'sends the browser to no %s, though the host found a client that has it: that is trouble (RFC 6749 §3.1.2)',
    async (redirectUri) => {
      const server = fixture({
        clients: (id) => client({ client_id: id, redirect_uris: [redirectUri] }),
      })
      expectErrorPage(await server.authorize({ redirect_uri: redirectUri }), 503)
      expect(server.eventsOf('host.trouble')).toMatchObject([{ operation: 'clients' }])
    },
  )

  it('takes no client for another one that the host found (RFC 6749 §4.1.1)', async () => {
    const { authorize } = fixture({ clients: (id) => client({ client_id: id.toLowerCase() }) })
    expectErrorPage(await authorize({ client_id: 'APP' }))
  })
})

describe('what the client is told of', () => {
  const server = fixture({
    clients: [
      ...CLIENTS,
      client({ grant_types: ['refresh_token'] }),
      client({ client_id: 'narrow', scope: 'a b' }),
    ],
    scopes: ['openid', 'offline_access', 'a', 'c'],
  })

  it.each([
    ['invalid_request', 'no response_type', 'RFC 6749 §3.1.1', { response_type: undefined }],
    ['unsupported_response_type', 'the implicit grant', 'RFC 9700 §2.1.2', { response_type: 'token' }],
    ['unsupported_response_type', 'the hybrid flow', 'RFC 6749 §3.1.1', { response_type: 'code id_token' }],
    ['unsupported_response_type', 'an unknown type', 'RFC 6749 §3.1.1', { response_type: 'CODE' }],
    ['invalid_request', 'another response_mode', 'RFC 6749 §4.1.2', { response_mode: 'fragment' }],
    ['request_not_supported', 'a request object', 'OIDC Core §6.1', { request: 'a.b.c' }],
    [
      'request_uri_not_supported',
      'a request URI',
      'OIDC Core §6.2',
      { request_uri: 'https://client.example/r' },
    ],
    ['unauthorized_client', 'a client without this grant', 'RFC 6749 §4.1.2.1', { client_id: 'app' }],
    [
      'invalid_request',
      'no code challenge',
      'RFC 9700 §2.1.1',
      { code_challenge: undefined, code_challenge_method: undefined },
    ],
    ['invalid_request', 'a method without a challenge', 'RFC 7636 §4.3', { code_challenge: undefined }],
    [
      'invalid_request',
      'a challenge without a method, which is plain',
      'RFC 7636 §4.3',
      { code_challenge_method: undefined },
    ],
    ['invalid_request', 'plain', 'RFC 9700 §2.1.1', { code_challenge_method: 'plain' }],
    ['invalid_request', 'an unknown method', 'RFC 7636 §4.4.1', { code_challenge_method: 's256' }],
    ['invalid_request', 'a short challenge', 'RFC 7636 §4.2', { code_challenge: CHALLENGE.slice(1) }],
    ['invalid_request', 'a padded challenge', 'RFC 7636 §4.2', { code_challenge: `${CHALLENGE}=` }],
    ['invalid_scope', 'a malformed scope', 'RFC 6749 §3.3', { scope: 'openid  a' }],
    ['invalid_scope', 'a scope with a quote', 'RFC 6749 §3.3', { scope: 'openid "a"' }],
    ['invalid_scope', 'an unknown scope alone', 'RFC 6749 §4.1.2.1', { scope: 'everything' }],
    [
      'invalid_scope',
      "a scope that is not the client's",
      'RFC 6749 §4.1.2.1',
      { client_id: 'narrow', scope: 'c' },
    ],
    ['invalid_request', 'max_age in words', 'OIDC Core §3.1.2.1', { max_age: 'soon' }],
    ['invalid_request', 'max_age below zero', 'OIDC Core §3.1.2.1', { max_age: '-1' }],
    ['invalid_request', 'prompt none with another', 'OIDC Core §3.1.2.1', { prompt: 'none login' }],
  ])('answers %s for %s (%s)', async (error, _what, _clause, overrides) => {
    expectToldToClient(await server.authorize(overrides), error)
  })

  it.each(['response_type', 'scope', 'nonce', 'code_challenge', 'prompt'])(
    'answers invalid_request for %s twice (RFC 6749 §4.1.2.1)',
    async (name) => {
      expectToldToClient(
        await server.authorize({ prompt: 'login' }).query(`${name}=openid`),
        'invalid_request',
      )
    },
  )

  it('ignores what it does not know (RFC 6749 §3.1)', async () => {
    const response = await server
      .authorize()
      .query('foo=1&audience=a&audience=b&code_challenge[]=x&__proto__=x&constructor[prototype]=x')
    expect(redirected(response)).toEqual({ code: expect.any(String), state: 'a state', iss: ISSUER })
  })

  it("drops the scope that it does not know, and what is not the client's (OIDC Core §3.1.2.1)", async () => {
    const response = await server.exchange(await server.code({ client_id: 'narrow', scope: 'c a b d' }), {
      client_id: 'narrow',
    })
    expect(response.body.scope).toBe('a')
  })

  it('takes a parameter without a value for none (RFC 6749 §3.1)', async () => {
    const response = await server.authorize({
      state: '',
      request: '',
      request_uri: '',
      max_age: '',
      scope: '',
    })
    expect(redirected(response)).toEqual({ code: expect.any(String), iss: ISSUER })
  })

  it('reads the query to its end (RFC 3986 §3.4)', async () => {
    const response = await server.get(
      `/oauth/authorize?state=to?b=1&${new URLSearchParams({ ...GOOD, scope: 'a' })}`,
    )
    expect(redirected(response)).toEqual({ code: expect.any(String), state: 'to?b=1', iss: ISSUER })
  })
})

describe("pkce: 'public'", () => {
  const server = fixture({ pkce: 'public' })
  const bare = { code_challenge: undefined, code_challenge_method: undefined }

  it('lets a confidential OpenID client rely on its nonce (RFC 9700 §2.1.1)', async () => {
    const code = await server.code({ ...bare, client_id: 'web' })
    const response = await server
      .exchange(code, { client_id: undefined, code_verifier: undefined })
      .auth('web', 'web-secret')

    expect(response.status).toBe(200)
    expect(claimsOf(response.body.id_token)).toMatchObject({ nonce: 'a-nonce' })
  })

  it.each([
    ['a public client', { client_id: 'spa' }],
    ['a request without nonce', { client_id: 'web', nonce: undefined }],
    ['a request that is not OpenID', { client_id: 'web', scope: 'offline_access' }],
    ['plain', { client_id: 'web', code_challenge: CHALLENGE }],
    ['a challenge that got lost on the way', { client_id: 'web', code_challenge_method: 'S256' }],
  ])('still demands a challenge by S256: %s (RFC 9700 §2.1.1)', async (_what, overrides) => {
    expectToldToClient(await server.authorize({ ...bare, ...overrides }), 'invalid_request')
  })
})

describe('what the host is handed', () => {
  async function handed(overrides: Record<string, string>) {
    let seen: AuthorizationRequest | undefined
    const server = fixture({
      authorize: (authorization) => {
        seen = authorization
        return APPROVAL
      },
    })
    await server.authorize(overrides)
    return seen
  }

  it('is the whole request, typed (OIDC Core §3.1.2.1)', async () => {
    const seen = await handed({
      prompt: 'login consent',
      max_age: '0',
      login_hint: 'alice@app.example',
      ui_locales: 'fr-CA en',
      acr_values: 'gold silver',
      scope: 'offline_access openid openid unknown',
    })
    expect(seen).toEqual({
      client: CLIENTS[0],
      redirectUri: CALLBACK,
      redirectUriRequired: true,
      scope: ['offline_access', 'openid'],
      state: 'a state',
      nonce: 'a-nonce',
      codeChallenge: CHALLENGE,
      prompt: ['login', 'consent'],
      maxAge: 0,
      loginHint: 'alice@app.example',
      uiLocales: ['fr-CA', 'en'],
      acrValues: ['gold', 'silver'],
      resources: [],
      form: undefined,
      responseMode: 'query',
      expectedSubjects: undefined,
      essentialAcr: undefined,
      claimsLocales: [],
      requestUri: undefined,
      asksFor: ['offline_access', 'openid'],
      display: undefined,
      claims: undefined,
      returnTo: expect.stringMatching(/^\/oauth\/authorize\?response_type=code&/),
      startedAt: expect.any(Date),
      nextStep: expect.any(Function),
    })
  })

  it('names all that the user is asked to allow, each once: claims of the scope are in the scope', async () => {
    let asksFor: readonly string[] = []
    const server = fixture({
      scopes: ['openid', 'profile', 'email'],
      resources: ['https://api.example'],
      authorize: (request) => {
        asksFor = request.asksFor
        return APPROVAL
      },
    })
    const claims = {
      userinfo: { email: null, name: null, 'name#fr': null, unknown: null },
      id_token: { email: null, nickname: null, auth_time: null, sub: { value: 'alice' } },
    }
    await server.authorize({
      scope: 'openid email',
      resource: 'https://api.example/',
      claims: JSON.stringify(claims),
    })
    expect(asksFor).toEqual([
      'openid',
      'email',
      'claim:name',
      'claim:name#fr',
      'claim:nickname',
      'resource:https://api.example',
    ])
  })

  it('holds nothing that was not sent', async () => {
    expect(await handed({})).toMatchObject({
      prompt: [],
      maxAge: undefined,
      loginHint: undefined,
      uiLocales: [],
      acrValues: [],
    })
  })
})

describe.each([4, 5] as const)("an authorize page of the host's own on Express %i", (major) => {
  const oauth = fixture({ authorize: undefined, authorizationEndpoint: 'http://localhost:3000/signin' })
  const app = (major === 4 ? (express4 as unknown as typeof express) : express)()
  app.get('/signin', async (req, res) => {
    try {
      const authorization = await oauth.oauth.readAuthorizationRequest(req, res)
      const response = await oauth.oauth.issueCode(authorization, APPROVAL)
      response.send(res)
    } catch (error) {
      if (!(error instanceof OAuthError)) throw error
      if (error.response) error.response.send(res)
      else res.status(400).json(error)
    }
  })
  const signin = (overrides: Record<string, string> | string = {}) =>
    request(app)
      .get('/signin')
      .query({ ...GOOD, state: 'a state' })
      .query(overrides)

  it('reads the request, and its code is as good as ours', async () => {
    const answer = redirected(await signin())
    expect(answer).toEqual({ code: expect.any(String), state: 'a state', iss: ISSUER })
    expect((await oauth.exchange(answer.code as string)).status).toBe(200)
  })

  it('says where to send the browser with an error, once client and redirect URI are right', async () => {
    expectToldToClient(await signin('request=a.b.c'), 'request_not_supported')
  })

  it.each(['client_id=spa', 'redirect_uri=https://attacker.example', 'client_id=web'])(
    'says nothing of where to send it before: %s twice (RFC 6749 §3.1)',
    async (twice) => {
      const response = await signin(twice)
      expect(response.status).toBe(400)
      expect(response.body).toEqual({ error: 'invalid_request', error_description: expect.any(String) })
    },
  )

  it('ignores names that a parser would make objects of', async () => {
    expect(redirected(await signin('nonce[a]=1&request[x]=y'))).toEqual({
      code: expect.any(String),
      state: 'a state',
      iss: ISSUER,
    })
  })
})

describe("an authorize page of the host's own that has a query (RFC 6749 §3.1)", () => {
  const page = 'http://localhost:3000/signin?tenant=a%20b'
  const { oauth } = fixture({ authorize: undefined, authorizationEndpoint: page })
  const app = express()
  app.all('/signin', async (req, res) => {
    const { form, returnTo } = await oauth.readAuthorizationRequest(req, res)
    if (req.method === 'POST' && !form) return res.redirect(303, returnTo)
    res.json({ returnTo, form: form && [...form] })
  })
  const path = `/signin?tenant=a+b&${new URLSearchParams(GOOD)}`

  it('keeps it in the URL to come back to, after GET and POST', async () => {
    expect((await request(app).get(path)).body).toEqual({ returnTo: path })
    const posted = await request(app).post('/signin?tenant=a%20b').type('form').send(GOOD)
    expect({ status: posted.status, location: posted.headers.location }).toEqual({
      status: 303,
      location: path,
    })
  })

  it('posts its form there', async () => {
    const { body } = await request(app).post(path).type('form').send('decision=allow')
    expect(body).toEqual({ returnTo: path, form: [['decision', 'allow']] })
  })
})
