// OpenID Connect RP-Initiated Logout 1.0: a client sends its user's browser here to log out.
import { generateKeyPairSync } from 'node:crypto'
import request, { type Test } from 'supertest'
import type { LogoutFunction, LogoutRequest } from '../../lib'
import {
  APPROVAL,
  CLIENTS,
  claimsOf,
  expectErrorPage,
  type Fixture,
  type FixtureOptions,
  fixture,
  headerOf,
  ISSUER,
  jws,
} from '../support/fixture'

const GOODBYE = 'https://client.example/goodbye'
const OTHER_GOODBYE = 'https://other.example/goodbye?from=logout'

const clients = CLIENTS.map((client) =>
  client.client_id === 'spa'
    ? { ...client, post_logout_redirect_uris: [GOODBYE, `${GOODBYE}/2?a=1`] }
    : client.client_id === 'other'
      ? { ...client, post_logout_redirect_uris: [OTHER_GOODBYE] }
      : client,
)

/** A host that logs out at once, whatever comes, and what it saw. */
function server(options: FixtureOptions = {}) {
  const seen: LogoutRequest[] = []
  const logout: LogoutFunction = (asked) => {
    seen.push(asked)
    return { grants: 'keep' }
  }
  const approval = { ...APPROVAL, sid: 'session-1' }
  return Object.assign(fixture({ clients, approval, logout, ...options }), { seen })
}

const logout = ({ app }: Fixture, parameters: Record<string, string> | string = {}) =>
  request(app).get(`/oauth/logout?${new URLSearchParams(parameters)}`)

async function hintOf(asked: Fixture): Promise<string> {
  return (await asked.tokens()).id_token
}

describe('a logout request (§2)', () => {
  it('says what the host needs: client, user and session of the ID token, hints', async () => {
    const asked = server()
    const id_token_hint = await hintOf(asked)
    await logout(asked, {
      id_token_hint,
      client_id: 'spa',
      logout_hint: 'alice@app.example',
      ui_locales: 'fr-CA en',
      post_logout_redirect_uri: GOODBYE,
      state: 'a state',
      unknown: 'ignored',
    })

    expect(asked.seen).toEqual([
      {
        client: expect.objectContaining({ client_id: 'spa' }),
        subject: 'alice',
        sid: 'session-1',
        postLogoutRedirectUri: GOODBYE,
        state: 'a state',
        logoutHint: 'alice@app.example',
        uiLocales: ['fr-CA', 'en'],
        form: undefined,
        mustAsk: expect.any(Function),
      },
    ])
  })

  it('may hold nothing at all: then nobody knows who asks', async () => {
    const asked = server()
    const { status, text } = await logout(asked)

    expect([status, text]).toEqual([200, expect.stringContaining('You are signed out')])
    expect(asked.seen).toMatchObject([
      { client: undefined, subject: undefined, sid: undefined, uiLocales: [] },
    ])
  })

  it('may be posted: it becomes the same request by GET, to which cookies come along', async () => {
    const asked = server()
    const parameters = { id_token_hint: await hintOf(asked), state: 'ü &', post_logout_redirect_uri: GOODBYE }
    const { status, headers } = await asked.post('/logout', parameters).set('Sec-Fetch-Site', 'cross-site')

    expect(status).toBe(303)
    expect(asked.seen).toEqual([])
    const url = new URL(headers.location as string, `${ISSUER}/logout`)
    expect(Object.fromEntries(url.searchParams)).toEqual(parameters)
    expect((await request(asked.app).get(url.pathname + url.search)).headers.location).toBe(
      `${GOODBYE}?state=${encodeURIComponent('ü').toUpperCase()}+%26`,
    )
  })

  it.each([
    ['without a body', '', (post: Test) => post],
    ['with an empty form', '', (post: Test) => post.type('form').send('')],
    ['with its parameters in the URL', 'client_id=spa', (post: Test) => post],
  ])('may be posted %s', async (_what, query, send) => {
    const asked = server()
    const post = request(asked.app).post(`/oauth/logout?${query}`).set('Sec-Fetch-Site', 'cross-site')
    const { status, headers } = await send(post)

    expect([status, headers.location]).toEqual([303, `?${query}`])
    expect(asked.seen).toEqual([])
  })

  it('with a parameter twice is refused (RFC 6749 §3.1)', async () => {
    const asked = server()
    expectErrorPage(await logout(asked, 'state=a&state=b'))
    expect(asked.seen).toEqual([])
  })
})

describe('the id_token_hint (§4)', () => {
  it('may have expired', async () => {
    const asked = server()
    const id_token = await hintOf(asked)
    const expired = jws(headerOf(id_token), { ...claimsOf(id_token), iat: 1, exp: 2 })
    await logout(asked, { id_token_hint: expired })

    expect(asked.seen).toMatchObject([{ subject: 'alice', sid: 'session-1', client: { client_id: 'spa' } }])
  })

  const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey

  it.each<[string, (id_token: string, asked: Fixture) => string | Promise<string>]>([
    ['garbage', () => 'garbage'],
    [
      'of another issuer',
      (token) => jws(headerOf(token), { ...claimsOf(token), iss: 'https://other.example' }),
    ],
    ['signed by somebody else', async () => hintOf(server({ signingKeys: [stranger] }))],
    ['not signed', (token) => `${token.split('.').slice(0, 2).join('.')}.`],
    ['an access token', async (_token, asked) => (await asked.tokens()).access_token],
    ['of a client that is gone', (token) => jws(headerOf(token), { ...claimsOf(token), aud: 'gone' })],
  ])('that is %s is not acted on: nobody is logged out, and nothing redirected', async (_what, made) => {
    const asked = server()
    const id_token_hint = await made(await hintOf(asked), asked)

    expectErrorPage(
      await logout(asked, { id_token_hint, client_id: 'spa', post_logout_redirect_uri: GOODBYE }),
    )
    expect(asked.seen).toEqual([])
  })

  it('must be for the client_id that comes with it (§2)', async () => {
    const asked = server()
    const parameters = { id_token_hint: await hintOf(asked), client_id: 'other' }

    expectErrorPage(await logout(asked, parameters))
    expectErrorPage(await logout(asked, { ...parameters, post_logout_redirect_uri: OTHER_GOODBYE }))
    expect(asked.seen).toEqual([])
    expect(asked.eventsOf('request.refused')).toMatchObject(
      Array(2).fill({ endpoint: 'logout', status: 400, reason: 'bad_id_token_hint' }),
    )
  })
})

describe('whether the user must be asked (§2)', () => {
  it.each([
    ['this very session', { subject: 'alice', sid: 'session-1' }, false],
    ['another session of the user', { subject: 'alice', sid: 'session-2' }, true],
    ['another user', { subject: 'bob', sid: 'session-1' }, true],
    ['a login that has no sid', { subject: 'alice' }, true],
  ])('with a hint of the session session-1, and %s: %s', async (_what, login, must) => {
    const asked = server()
    await logout(asked, { id_token_hint: await hintOf(asked) })

    expect(asked.seen[0]?.mustAsk(login)).toBe(must)
  })

  it('always without a hint: a client_id is no secret', async () => {
    const asked = server()
    await logout(asked, { client_id: 'spa', logout_hint: 'alice' })

    expect(asked.seen[0]?.mustAsk({ subject: 'alice', sid: 'session-1' })).toBe(true)
    expect(asked.seen[0]?.mustAsk({ subject: 'alice' })).toBe(true)
  })

  it('always where the host has no sid: any old ID token of this user would do', async () => {
    const asked = server({ approval: APPROVAL })
    await logout(asked, { id_token_hint: await hintOf(asked) })

    expect(asked.seen[0]?.mustAsk({ subject: 'alice' })).toBe(true)
    expect(asked.seen[0]?.mustAsk({ subject: 'bob' })).toBe(true)
  })
})

describe('the redirect afterwards (§3)', () => {
  it.each([
    ['with state', { state: 'a state&b=1' }, `${GOODBYE}?state=a+state%26b%3D1`],
    ['without state', {}, GOODBYE],
  ])('goes to the registered URI %s, by the hint or by client_id alone', async (_what, state, location) => {
    const asked = server()
    const id_token_hint = await hintOf(asked)
    for (const who of [{ id_token_hint }, { client_id: 'spa' }]) {
      const { status, headers, text } = await logout(asked, {
        ...who,
        ...state,
        post_logout_redirect_uri: GOODBYE,
      })
      expect({ status, location: headers.location, text }).toEqual({ status: 303, location, text: '' })
    }
  })

  it('keeps a query that was registered', async () => {
    const uri = `${GOODBYE}/2?a=1`
    const { headers } = await logout(server(), {
      client_id: 'spa',
      post_logout_redirect_uri: uri,
      state: 'x',
    })
    expect(headers.location).toBe(`${uri}&state=x`)
  })

  it.each([
    ['one that is not registered', { client_id: 'spa', post_logout_redirect_uri: 'https://evil.example' }],
    ['that of another client', { client_id: 'spa', post_logout_redirect_uri: OTHER_GOODBYE }],
    [
      'a redirect URI for codes',
      { client_id: 'spa', post_logout_redirect_uri: CLIENTS[0]?.redirect_uris?.[0] },
    ],
    ['one with another case', { client_id: 'spa', post_logout_redirect_uri: GOODBYE.toUpperCase() }],
    ['one with a slash behind', { client_id: 'spa', post_logout_redirect_uri: `${GOODBYE}/` }],
    ['one with a query', { client_id: 'spa', post_logout_redirect_uri: `${GOODBYE}?x` }],
    ['a registered one, and nobody knows whose', { post_logout_redirect_uri: GOODBYE }],
    ['any, for a client that has registered none', { client_id: 'web', post_logout_redirect_uri: GOODBYE }],
    ['any, for a client that nobody knows', { client_id: 'nobody', post_logout_redirect_uri: GOODBYE }],
  ])('never goes to %s: an error page, and nobody is logged out', async (_what, parameters) => {
    const asked = server()
    const response = await logout(asked, parameters as Record<string, string>)

    expectErrorPage(response)
    expect(response.text).toContain('This sign-out cannot go on')
    expect(asked.seen).toEqual([])
  })

  it('needs no user who is logged in: a request is repeatable (§4)', async () => {
    const asked = server()
    const parameters = { id_token_hint: await hintOf(asked), post_logout_redirect_uri: GOODBYE }
    for (let i = 0; i < 2; i++) expect((await logout(asked, parameters)).headers.location).toBe(GOODBYE)
  })
})

it('is advertised as end_session_endpoint where there is one (§2.1)', async () => {
  const place = '/.well-known/openid-configuration/oauth'
  expect((await server().get(place)).body.end_session_endpoint).toBe(`${ISSUER}/logout`)

  const without = fixture()
  expect((await without.get(place)).body).not.toHaveProperty('end_session_endpoint')
  expect((await without.get('/oauth/logout')).status).toBe(404)
})
