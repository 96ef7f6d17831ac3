import express from 'express'
import request, { type Response } from 'supertest'
import { type AuthorizeFunction, type Denial, type InteractiveRequest, memoryStore } from '../../lib'
import {
  APPROVAL,
  CALLBACK,
  CHALLENGE,
  expectErrorPage,
  expectToldToClient,
  type Fixture,
  fixture,
  ISSUER,
  redirected,
} from '../support/fixture'

const REQUEST = {
  response_type: 'code',
  client_id: 'spa',
  redirect_uri: CALLBACK,
  scope: 'openid offline_access',
  state: 'a state',
  code_challenge: CHALLENGE,
  code_challenge_method: 'S256',
}
const URL_OF_REQUEST = `/oauth/authorize?${new URLSearchParams(REQUEST)}`

/** A host that asks for a decision on a page of its own, as the user's form gives it. */
const consent: AuthorizeFunction = ({ form }, _req, res) => {
  if (form?.get('decision') === 'allow') return APPROVAL
  if (form) return { error: 'access_denied' }
  res.send('Allow?')
  return undefined
}

/** The answer to a form that the page at this URL posts back to it. */
function answer({ app }: Fixture, form: string, url = URL_OF_REQUEST) {
  return request(app).post(url).type('form').send(form)
}

/** As a browser: follows redirects as long as they stay at this server, and says where it ended. */
async function follow(
  { app }: Fixture,
  first: Response,
  url: string,
): Promise<{ page: Response; url: string }> {
  let page = first
  let at = url
  for (let hops = 0; page.status === 303 && !page.headers.location?.startsWith(CALLBACK); hops++) {
    if (hops === 5) throw new Error('redirects in a circle')
    const { pathname, search } = new URL(page.headers.location as string, new URL(at, ISSUER))
    at = pathname + search
    page = await request(app).get(at)
  }
  return { page, url: at }
}

describe('the answer to an approval', () => {
  it('is a 303 with code, state and iss and nothing else (RFC 6749 §4.1.2, RFC 9207 §2, RFC 9700 §4.12)', async () => {
    const response = await fixture().authorize()

    expect(response.status).toBe(303)
    expect(response.headers.location?.startsWith(`${CALLBACK}?`)).toBe(true)
    expect(redirected(response)).toEqual({
      code: expect.stringMatching(/^[\w-]{52}$/),
      state: 'a state',
      iss: ISSUER,
    })
    expect(response.text).toBe('')
    expect(response.headers).toMatchObject({ 'cache-control': 'no-store', 'referrer-policy': 'same-origin' })
  })

  it('may take its time', async () => {
    const { authorize } = fixture({
      authorize: async () => {
        await new Promise((resolve) => setTimeout(resolve, 20))
        return APPROVAL
      },
    })
    expect(redirected(await authorize())).toHaveProperty('code')
  })
})

describe('the answer to a denial', () => {
  it.each([
    'access_denied',
    'login_required',
    'consent_required',
    'interaction_required',
    'account_selection_required',
    'invalid_scope',
    'temporarily_unavailable',
  ] as const)('tells the client %s (RFC 6749 §4.1.2.1, OIDC Core §3.1.2.6)', async (error) => {
    const server = fixture({ authorize: () => ({ error }) })
    expectToldToClient(await server.authorize(), error)
    expect(server.events).toEqual([{ type: 'authorization.denied', clientId: 'spa', error }])
  })

  it('holds the description of the host, in the characters that are allowed (RFC 6749 §4.1.2.1)', async () => {
    const denial: Denial = { error: 'access_denied', description: 'Not "you",\r\nX: <b>\\é 1' }
    const response = await fixture({ authorize: () => denial }).authorize()
    expect(redirected(response).error_description).toBe('Not you,X: <b> 1')
  })
})

describe('the rate limit', () => {
  const rateLimit = { failuresPerAddress: 1 }

  it('counts no denial: a silent check says login_required all day (OIDC Core §3.1.2.6)', async () => {
    const server = fixture({ authorize: () => ({ error: 'login_required' }), rateLimit })
    for (let i = 0; i < 3; i++)
      expectToldToClient(await server.authorize({ prompt: 'none' }), 'login_required')
  })

  it('counts nothing that is told to a client, which helps nobody to guess', async () => {
    const server = fixture({ rateLimit })
    for (let i = 0; i < 3; i++)
      expectToldToClient(await server.authorize({ response_type: 'token' }), 'unsupported_response_type')
  })

  it('tells the user to wait, after guesses elsewhere (RFC 6585 §4)', async () => {
    const server = fixture({ rateLimit })
    await server.post('/token', '')
    const response = await server.authorize()

    expectErrorPage(response, 429)
    expect(Number(response.headers['retry-after'])).toBeGreaterThan(0)
    expect(response.text).not.toMatch(/mistake/)
  })
})

describe("the host's own page", () => {
  it('reaches the browser as the host wrote it, and no cache and no frame holds it (RFC 9700 §4.16)', async () => {
    const response = await fixture({ authorize: consent }).authorize()

    expect(response.status).toBe(200)
    expect(response.text).toBe('Allow?')
    expect(response.headers).toMatchObject({
      'x-frame-options': 'DENY',
      'cache-control': 'no-store',
      'referrer-policy': 'same-origin',
    })
  })

  it("may not be framed by its policy either, beside the host's own (RFC 9700 §4.16)", async () => {
    const policy = "default-src 'self'"
    const server = fixture({
      authorize: consent,
      before: (app) =>
        app.use((_req, res, next) => {
          res.setHeader('Content-Security-Policy', policy)
          next()
        }),
    })
    const { headers } = await server.authorize()
    expect(headers['content-security-policy']).toContain(policy)
    expect(headers['content-security-policy']).toContain("frame-ancestors 'none'")
  })

  it.each([
    ['decision=allow', { code: expect.any(String), state: 'a state', iss: ISSUER }],
    [
      'decision=deny',
      { error: 'access_denied', error_description: expect.any(String), state: 'a state', iss: ISSUER },
    ],
  ])('posts its form back to the URL of the request: %s', async (form, expected) => {
    const response = await answer(fixture({ authorize: consent }), form)
    expect(response.status).toBe(303)
    expect(redirected(response)).toEqual(expected)
  })

  it('may be shown again as often as it takes', async () => {
    const server = fixture({
      authorize: ({ form }, _req, res) => {
        if (form?.get('password') === 'wonderland') return APPROVAL
        res.send(form ? 'Try again' : 'Password?')
        return undefined
      },
    })
    expect((await server.authorize()).text).toBe('Password?')
    expect((await answer(server, 'password=x')).text).toBe('Try again')
    expect(redirected(await answer(server, 'password=wonderland'))).toHaveProperty('code')
  })

  it.each([
    ['no body parser', undefined],
    ['express.urlencoded() before the router', express.urlencoded({ extended: false })],
    ['express.urlencoded({ extended: true }) before the router', express.urlencoded({ extended: true })],
  ])('sends checkboxes of one name, and all of them arrive: %s', async (_what, parser) => {
    let seen: URLSearchParams | undefined
    const server = fixture({
      before: (app) => void (parser && app.use(parser)),
      authorize: ({ form }) => {
        seen = form
        return { ...APPROVAL, scope: form?.getAll('scope') }
      },
    })
    const { code } = redirected(
      await answer(server, 'scope=openid&scope=offline_access&client_id=x&client_id=y'),
    )

    expect(seen).toBeInstanceOf(URLSearchParams)
    expect(seen?.getAll('scope')).toEqual(['openid', 'offline_access'])
    expect((await server.exchange(code as string)).body.scope).toBe('openid offline_access')
  })

  it('changes nothing of the request by its form: one request is never read from both', async () => {
    let seen: InteractiveRequest | undefined
    const server = fixture({
      authorize: (authorization) => {
        seen = authorization
        return APPROVAL
      },
    })
    const forged = {
      client_id: 'other',
      redirect_uri: 'https://attacker.example/callback',
      scope: 'admin',
      state: 'forged',
      code_challenge: 'x'.repeat(43),
      prompt: 'none',
    }
    const response = await answer(server, new URLSearchParams(forged).toString())

    expect(redirected(response)).toMatchObject({ state: 'a state' })
    expect(seen).toMatchObject({
      client: { client_id: 'spa' },
      redirectUri: CALLBACK,
      scope: ['openid', 'offline_access'],
      codeChallenge: CHALLENGE,
      prompt: [],
    })
  })

  it('has its request checked again when the form comes back', async () => {
    const server = fixture({ authorize: consent })
    const url = URL_OF_REQUEST.replace('spa', 'nobody')
    expectErrorPage(await answer(server, 'decision=allow', url))
  })

  it('may be a login elsewhere that comes back to the URL of the request', async () => {
    const server = fixture({
      authorize: (_authorization, req, res) => {
        if (req.headers.cookie === 'session=alice') return APPROVAL
        res.redirect(303, `/login?return_to=${encodeURIComponent(req.originalUrl)}`)
        return undefined
      },
    })
    const login = await server.authorize()
    const back = new URLSearchParams(login.headers.location?.split('?')[1]).get('return_to') as string

    const response = await server.get(back).set('Cookie', 'session=alice')
    expect(redirected(response)).toEqual({ code: expect.any(String), state: 'a state', iss: ISSUER })
  })
})

describe('a form of another site', () => {
  const foreign = ['cross-site', 'same-site', 'something-new']

  it.each(foreign)('decides nothing: Sec-Fetch-Site %s (RFC 6819 §5.3.5)', async (site) => {
    let asked = 0
    const server = fixture({
      authorize: () => {
        asked += 1
        return APPROVAL
      },
    })
    expectErrorPage(await answer(server, 'decision=allow').set('Sec-Fetch-Site', site))
    expect(asked).toBe(0)
  })

  it.each(['same-origin', 'none'])('is not what a page of ours posts: Sec-Fetch-Site %s', async (site) => {
    const response = await answer(fixture({ authorize: consent }), 'decision=allow').set(
      'Sec-Fetch-Site',
      site,
    )
    expect(redirected(response)).toHaveProperty('code')
  })

  it('is no link of another site: by GET every request comes from one (RFC 6749 §4.1.1)', async () => {
    const response = await fixture().authorize().set('Sec-Fetch-Site', 'cross-site')
    expect(redirected(response)).toHaveProperty('code')
  })

  it('may begin a request, which decides nothing (OIDC Core §3.1.2.1)', async () => {
    let seen: URLSearchParams | undefined | 'not asked' = 'not asked'
    const server = fixture({
      authorize: ({ form }) => {
        seen = form
        return { error: 'login_required' }
      },
    })
    const begun = await server
      .post('/authorize', { ...REQUEST, decision: 'allow' })
      .set('Sec-Fetch-Site', 'cross-site')
    const { page } = await follow(server, begun, '/oauth/authorize')

    expectToldToClient(page, 'login_required')
    expect(seen).toBeUndefined()
  })
})

describe('a request that is posted (OIDC Core §3.1.2.1)', () => {
  it('is as good as one by GET', async () => {
    const server = fixture()
    const { page } = await follow(server, await server.post('/authorize', REQUEST), '/oauth/authorize')
    expect(redirected(page)).toEqual({ code: expect.any(String), state: 'a state', iss: ISSUER })
  })

  it('lets the host show a page whose form comes back', async () => {
    const server = fixture({ authorize: consent })
    const { page, url } = await follow(server, await server.post('/authorize', REQUEST), '/oauth/authorize')
    expect(page.text).toBe('Allow?')

    expect(redirected(await answer(server, 'decision=allow', url))).toHaveProperty('code')
  })

  it('lets the host send the browser to a login that comes back', async () => {
    let signedIn = false
    const server = fixture({
      before: (app) =>
        app.get('/login', (req, res) => {
          signedIn = true
          res.redirect(303, String(req.query.return_to))
        }),
      authorize: (_authorization, req, res) => {
        if (signedIn) return APPROVAL
        res.redirect(303, `/login?return_to=${encodeURIComponent(req.originalUrl)}`)
        return undefined
      },
    })
    const { page } = await follow(server, await server.post('/authorize', REQUEST), '/oauth/authorize')
    expect(redirected(page)).toHaveProperty('code')
  })

  it('of 40 KB is told to the client: no URL would hold it (RFC 9110 §4.1)', async () => {
    const server = fixture({ authorize: consent })
    const response = await server.post('/authorize', { ...REQUEST, login_hint: 'a'.repeat(40_000) })
    expectToldToClient(response, 'invalid_request')
    expect(server.events).toMatchObject([{ type: 'request.refused', reason: 'long_request' }])
  })

  it.each([
    ['JSON', 'application/json', JSON.stringify(REQUEST)],
    ['plain text', 'text/plain', new URLSearchParams(REQUEST).toString()],
  ])('is refused as anything but a form: %s (OIDC Core §13.2)', async (_what, type, body) => {
    const { app } = fixture()
    expectErrorPage(await request(app).post('/oauth/authorize').type(type).send(body))
  })
})

describe('trouble', () => {
  it.each([
    ['throws', () => Promise.reject(new Error('secret of the host'))],
    [
      'throws at once',
      () => {
        throw new Error('secret of the host')
      },
    ],
  ])(
    'in a host that %s is told to the client, without its cause (RFC 6749 §4.1.2.1)',
    async (_what, authorize) => {
      const server = fixture({ authorize })
      const response = await server.authorize()

      expectToldToClient(response, 'temporarily_unavailable')
      expect(JSON.stringify(response.headers)).not.toContain('secret')
      expect(server.eventsOf('host.trouble')).toEqual([
        { type: 'host.trouble', operation: 'authorize', cause: new Error('secret of the host') },
      ])
    },
  )

  it('of the store, which the host asked, is no denial (RFC 6749 §4.1.2.1)', async () => {
    const server = fixture({
      store: { ...memoryStore(), list: () => Promise.reject(new Error('down')) },
      authorize: async () => {
        await server.oauth.grants.list('alice')
        return APPROVAL
      },
    })
    expectToldToClient(await server.authorize(), 'temporarily_unavailable')
    expect(server.events).toMatchObject([
      { type: 'store.trouble', operation: 'list' },
      { type: 'host.trouble', operation: 'authorize', cause: { name: 'OAuthError', status: 503 } },
      { type: 'request.refused', error: 'temporarily_unavailable', reason: 'authorize_failed' },
    ])
  })

  it('after the host began to answer cuts the connection: half a page is no page', async () => {
    const server = fixture({
      authorize: (_authorization, _req, res) => {
        res.write('Allow')
        throw new Error('no template')
      },
    })
    await expect(server.authorize().timeout(2000)).rejects.toMatchObject({ code: 'ECONNRESET' })
  })

  it.each([
    ['more scope than was asked for', { subject: 'alice', scope: ['openid', 'admin'] }],
    ['no subject', { subject: '' }],
  ])(
    'with an approval of %s is told to the client, and to the operator (RFC 6749 §4.1.2.1)',
    async (_what, approval) => {
      const server = fixture({ approval })

      expectToldToClient(await server.authorize(), 'server_error')
      expect(server.eventsOf('request.refused')).toMatchObject([
        { endpoint: 'authorization', clientId: 'spa', cause: { name: 'ConfigError' } },
      ])
      expect(server.eventsOf('code.issued')).toEqual([])
    },
  )

  it('with the store is told to the client (RFC 6749 §4.1.2.1)', async () => {
    const server = fixture({
      store: { ...memoryStore(), insert: () => Promise.reject(new Error('down')) },
    })
    expectToldToClient(await server.authorize(), 'temporarily_unavailable')
  })

  it('in finding the client is told to the user: it is ours, and may be over soon (RFC 6749 §4.1.2.1)', async () => {
    const server = fixture({ clients: () => Promise.reject(new Error('database down')) })
    const response = await server.authorize()

    expectErrorPage(response, 503)
    expect(response.headers['retry-after']).toBe('1')
    expect(response.text).not.toMatch(/database/)
    // The application that sent the user here did nothing wrong.
    expect(response.text).not.toMatch(/mistake/)
  })
})

describe('the error page', () => {
  it('holds nothing of the request, so that nobody can write on it', async () => {
    const { authorize } = fixture()
    const pages = await Promise.all([
      authorize({ client_id: 'nobody' }),
      authorize({ client_id: '<script>alert(1)</script>', state: '<img src=x onerror=alert(2)>' }),
      authorize({ client_id: '"><b>', redirect_uri: 'javascript:alert(3)', scope: '&lt;' }),
    ])
    for (const page of pages) expectErrorPage(page)
    expect(new Set(pages.map(({ text }) => text)).size).toBe(1)
  })

  it.each([
    ['a wrong request', (server: Fixture) => server.authorize({ client_id: 'nobody' })],
    ['a body that is no form', ({ app }: Fixture) => request(app).post('/oauth/authorize').send({})],
  ])(
    'may not be framed, and names no referrer elsewhere: %s (RFC 9700 §4.2.4, §4.16)',
    async (_what, send) => {
      const { headers } = await send(fixture())
      expect(headers).toMatchObject({ 'x-frame-options': 'DENY', 'referrer-policy': 'same-origin' })
      expect(headers['content-security-policy']).toContain("frame-ancestors 'none'")
    },
  )

  it('tells the operator why, and of which client', async () => {
    const server = fixture()
    await server.authorize({ redirect_uri: 'https://attacker.example/' })
    expect(server.events).toEqual([
      {
        type: 'request.refused',
        endpoint: 'authorization',
        status: 400,
        error: 'invalid_request',
        reason: 'unknown_redirect_uri',
        clientId: 'spa',
        cause: undefined,
      },
    ])
  })
})

describe('the authorization endpoint', () => {
  it('has no CORS: a browser goes there, no script does (OAuth 2.1 §3.1)', async () => {
    const { app, authorize } = fixture()
    const preflight = await request(app)
      .options('/oauth/authorize')
      .set({ Origin: 'https://attacker.example', 'Access-Control-Request-Method': 'GET' })
    const read = await authorize().set('Origin', 'https://attacker.example')

    expect(preflight.status).toBe(405)
    for (const { headers } of [preflight, read])
      expect(Object.keys(headers).filter((name) => name.startsWith('access-control-'))).toEqual([])
  })

  it.each(['put', 'delete', 'patch'] as const)(
    'are refused by method: %s (RFC 9110 §15.5.6)',
    async (method) => {
      const response = await request(fixture().app)[method](URL_OF_REQUEST)
      expect(response.status).toBe(405)
      expect(response.headers.allow).toBe('GET, POST')
    },
  )

  it('is not there without an authorize function', async () => {
    const response = await fixture({ authorize: undefined }).authorize()
    expect(response.status).toBe(404)
  })

  it('is the same on Express 4', async () => {
    const server = fixture({ authorize: consent, expressMajor: 4 })
    expect((await server.authorize()).text).toBe('Allow?')
    expect(redirected(await answer(server, 'decision=allow'))).toHaveProperty('code')
  })
})

describe("the host's own error page", () => {
  const bad = { redirect_uri: 'https://attacker.example' }

  it('is shown where no client can be told (RFC 6749 §4.1.2.1)', async () => {
    const server = fixture({
      errorPage: (error, _req, res) => void res.status(error.status).send(`Sorry: ${error.code}`),
    })
    const { status, text, headers } = await server.authorize(bad)
    expect({ status, text }).toEqual({ status: 400, text: 'Sorry: invalid_request' })
    expect(headers).toMatchObject({ 'cache-control': 'no-store', 'x-frame-options': 'DENY' })
    expect(server.events).toMatchObject([{ type: 'request.refused', status: 400, error: 'invalid_request' }])
  })

  it('leaves the plain one in place when it throws, and the operator is told', async () => {
    const server = fixture({ errorPage: () => Promise.reject(new Error('no template')) })
    expectErrorPage(await server.authorize(bad))
    expect(server.events).toMatchObject([
      { type: 'host.trouble', operation: 'errorPage' },
      { type: 'request.refused', status: 400 },
    ])
  })

  it('is not asked where the client can be told', async () => {
    const server = fixture({ errorPage: () => Promise.reject(new Error('asked')) })
    expectToldToClient(await server.authorize({ response_type: 'token' }), 'unsupported_response_type')
  })
})
