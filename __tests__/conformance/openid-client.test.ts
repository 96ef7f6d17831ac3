// openid-client, as a web app or a single-page app would use it, over HTTP. It checks every response itself.
import * as client from 'openid-client'
import type { FixtureOptions } from '../support/fixture'
import { CALLBACK } from '../support/fixture'
import { ALL_CLIENTS, browse, KEYS, ODD_ID, ODD_SECRET, type RealIssuer, startIssuer } from './real-issuer'

type Auth = [clientId: string, method: client.ClientAuth]

const SPA: Auth = ['spa', client.None()]
const WEB: Auth = ['web', client.ClientSecretBasic('web-secret')]
const POST: Auth = ['post', client.ClientSecretPost('post-secret')]
const ODD: Auth = [ODD_ID, client.ClientSecretBasic(ODD_SECRET)]

type Algorithm = 'oidc' | 'oauth2'

async function discover(
  server: RealIssuer,
  [clientId, method]: Auth,
  algorithm: Algorithm = 'oidc',
): Promise<client.Configuration> {
  const execute = [client.allowInsecureRequests, client.enableNonRepudiationChecks]
  return client.discovery(new URL(server.issuer), clientId, undefined, method, { algorithm, execute })
}

/** The callback of a request for these, and the checks that belong to it. */
async function authorize(config: client.Configuration, parameters: Record<string, string> = {}) {
  const checks = {
    pkceCodeVerifier: client.randomPKCECodeVerifier(),
    expectedState: client.randomState(),
    expectedNonce: client.randomNonce(),
    idTokenExpected: true,
  }
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: CALLBACK,
    scope: 'openid offline_access',
    state: checks.expectedState,
    nonce: checks.expectedNonce,
    code_challenge: await client.calculatePKCECodeChallenge(checks.pkceCodeVerifier),
    code_challenge_method: 'S256',
    ...parameters,
  })
  return { callback: await browse(url), checks }
}

async function signIn(config: client.Configuration, parameters?: Record<string, string>) {
  const { callback, checks } = await authorize(config, parameters)
  return client.authorizationCodeGrant(config, callback, checks)
}

async function start(auth: Auth, options?: FixtureOptions): Promise<client.Configuration> {
  return discover(await startIssuer(options), auth)
}

/** With what the client refuses a response. */
async function refusal(answer: Promise<unknown>): Promise<{ name: string; code: string; error?: string }> {
  const thrown = await answer.then(
    (answered) => ({ name: 'answered', answered }),
    (error) => error,
  )
  const { name, code, error, status } = thrown
  return { name, code, ...(error && { error, status }) }
}

describe('the whole flow', () => {
  const rows = KEYS.flatMap(({ alg, key }, i) =>
    [SPA, WEB, POST, ODD].map((auth, j) => ({
      alg,
      key,
      auth,
      clientId: auth[0],
      rotates: auth === SPA,
      algorithm: ((i + j) % 2 ? 'oauth2' : 'oidc') as Algorithm,
    })),
  )

  it.each(rows)('$alg, client $clientId, discovered by $algorithm', async ({ alg, key, auth, ...row }) => {
    const server = await startIssuer({ signingKeys: [key] })
    const config = await discover(server, auth, row.algorithm)
    expect(config.serverMetadata().id_token_signing_alg_values_supported).toEqual([alg])

    const tokens = await signIn(config)
    expect(tokens).toMatchObject({ token_type: 'bearer', expires_in: 600, scope: 'openid offline_access' })
    expect(tokens.claims()).toMatchObject({ iss: server.issuer, sub: 'alice', aud: auth[0] })
    const called = await client.fetchProtectedResource(config, tokens.access_token, server.api, 'GET')
    expect(await called.json()).toEqual({ hello: 'alice' })

    const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token as string)
    expect(refreshed.claims()).toMatchObject({ sub: 'alice', auth_time: tokens.claims()?.auth_time })
    expect(refreshed.refresh_token === tokens.refresh_token).toBe(!row.rotates)
    const narrowed = await client.refreshTokenGrant(config, refreshed.refresh_token as string, {
      scope: 'openid',
    })
    expect(narrowed.scope).toBe('openid')

    const current = narrowed.refresh_token as string
    if (auth !== SPA) {
      expect(await client.tokenIntrospection(config, current)).toMatchObject({ active: true, sub: 'alice' })
      expect(await client.tokenIntrospection(config, narrowed.access_token)).toMatchObject({
        active: true,
        client_id: auth[0],
        token_type: 'Bearer',
        scope: 'openid',
      })
    }

    await client.tokenRevocation(config, current)
    expect(await refusal(client.refreshTokenGrant(config, current))).toMatchObject({ error: 'invalid_grant' })
    if (auth !== SPA) expect(await client.tokenIntrospection(config, current)).toEqual({ active: false })
    const afterwards = client.fetchProtectedResource(config, narrowed.access_token, server.api, 'GET')
    expect(await refusal(afterwards)).toMatchObject({ name: 'WWWAuthenticateChallengeError' })
  })

  it.each([SPA, WEB])(
    'userinfo of the user that the ID token names (OIDC Core §5.3.4): %s',
    async (...auth) => {
      const findAccount = () => ({ claims: { email: 'alice@example.com', nickname: 'Al', name: 'Alice' } })
      const config = await start(auth, {
        scopes: ['openid', 'offline_access', 'email', 'profile'],
        findAccount,
      })
      const claims = JSON.stringify({ userinfo: { nickname: null }, id_token: { name: { essential: true } } })
      const tokens = await signIn(config, { scope: 'openid email', claims })
      const { sub = '' } = tokens.claims() ?? {}

      expect(tokens.claims()).toMatchObject({ sub: 'alice', name: 'Alice' })
      const { access_token } = tokens
      expect(await client.fetchUserInfo(config, access_token, sub)).toEqual({
        sub: 'alice',
        email: 'alice@example.com',
        nickname: 'Al',
      })
      expect(await refusal(client.fetchUserInfo(config, access_token, 'bob'))).toMatchObject({
        code: 'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED',
      })
      await client.tokenRevocation(config, access_token)
      expect(await refusal(client.fetchUserInfo(config, access_token, sub))).toMatchObject({
        name: 'WWWAuthenticateChallengeError',
      })
    },
  )

  it('a logout with the ID token as hint (RP-Initiated Logout §2, §3)', async () => {
    const goodbye = `${CALLBACK}/goodbye`
    const config = await start(SPA, {
      clients: ALL_CLIENTS.map((one) => ({ ...one, post_logout_redirect_uris: [goodbye] })),
      approval: { subject: 'alice', authTime: new Date(), sid: 'session-1' },
      logout: (request) => {
        const login = { subject: 'alice', sid: 'session-1' }
        return request.mustAsk(login) ? undefined : { grants: 'session', ...login }
      },
    })
    const { id_token, refresh_token } = await signIn(config)
    const url = client.buildEndSessionUrl(config, {
      id_token_hint: id_token as string,
      post_logout_redirect_uri: goodbye,
      state: 'a state',
    })

    expect((await browse(url)).href).toBe(`${goodbye}?state=a+state`)
    expect(await refusal(client.refreshTokenGrant(config, refresh_token as string))).toMatchObject({
      error: 'invalid_grant',
    })
  })

  it('without OpenID: a refresh token and no ID token (RFC 6749 §5.1)', async () => {
    const config = await start(SPA, { scopes: ['openid', 'offline_access', 'read'] })
    const { callback, checks } = await authorize(config, { scope: 'read' })
    const { pkceCodeVerifier, expectedState } = checks
    const tokens = await client.authorizationCodeGrant(config, callback, { pkceCodeVerifier, expectedState })
    expect(tokens).toMatchObject({ scope: 'read', refresh_token: expect.any(String) })
    expect(tokens.claims()).toBeUndefined()
  })

  it('with a login that is recent enough (OIDC Core §3.1.2.1)', async () => {
    const config = await start(WEB, { approval: { subject: 'alice', authTime: new Date() } })
    const { callback, checks } = await authorize(config, { max_age: '60' })
    const tokens = await client.authorizationCodeGrant(config, callback, { ...checks, maxAge: 60 })
    expect(tokens.claims()?.auth_time).toEqual(expect.any(Number))
  })
})

describe('the client sees', () => {
  it.each([
    ['iss', 'https://another.example'],
    ['state', 'another'],
  ])('that the %s of a callback is not ours (RFC 9207 §2.4, RFC 6749 §10.12)', async (name, value) => {
    const config = await start(SPA)
    const { callback, checks } = await authorize(config)
    for (const changed of [value, undefined]) {
      const forged = new URL(callback)
      if (changed === undefined) forged.searchParams.delete(name)
      else forged.searchParams.set(name, changed)
      expect(await refusal(client.authorizationCodeGrant(config, forged, checks))).toMatchObject({
        code: 'OAUTH_INVALID_RESPONSE',
      })
    }
    expect((await client.authorizationCodeGrant(config, callback, checks)).access_token).toBeDefined()
  })

  it('that the user said no, and who tells it (RFC 6749 §4.1.2.1, RFC 9207 §2)', async () => {
    const config = await start(SPA, { authorize: () => ({ error: 'access_denied' }) })
    const { callback, checks } = await authorize(config)
    expect(await refusal(client.authorizationCodeGrant(config, callback, checks))).toMatchObject({
      name: 'AuthorizationResponseError',
      error: 'access_denied',
    })
  })

  it.each<[title: string, auth: Auth, expected: object]>([
    [
      'its Basic secret is wrong',
      ['web', client.ClientSecretBasic('wrong')],
      { name: 'WWWAuthenticateChallengeError' },
    ],
    [
      'its posted secret is wrong',
      ['post', client.ClientSecretPost('wrong')],
      { name: 'ResponseBodyError', error: 'invalid_client', status: 401 },
    ],
    [
      'it used another method than it is registered for',
      ['post', client.ClientSecretBasic('post-secret')],
      { name: 'WWWAuthenticateChallengeError' },
    ],
    [
      'it needs a secret',
      ['web', client.None()],
      { name: 'ResponseBodyError', error: 'invalid_client', status: 401 },
    ],
  ])('that %s (RFC 6749 §5.2)', async (_title, auth, expected) => {
    const config = await start(auth)
    expect(await refusal(signIn(config))).toMatchObject(expected)
  })

  it('that its verifier is wrong, and that its code is spent (RFC 7636 §4.6, RFC 6749 §4.1.2)', async () => {
    const config = await start(SPA)
    const { callback, checks } = await authorize(config)
    const wrong = { ...checks, pkceCodeVerifier: client.randomPKCECodeVerifier() }
    const refused = { name: 'ResponseBodyError', error: 'invalid_grant', status: 400 }
    expect(await refusal(client.authorizationCodeGrant(config, callback, wrong))).toMatchObject(refused)
    await client.authorizationCodeGrant(config, callback, checks)
    expect(await refusal(client.authorizationCodeGrant(config, callback, checks))).toMatchObject(refused)
  })

  it('that it asks for more than was granted (RFC 6749 §6)', async () => {
    const config = await start(SPA, { scopes: ['openid', 'offline_access', 'read'] })
    const { refresh_token } = await signIn(config)
    expect(
      await refusal(client.refreshTokenGrant(config, refresh_token as string, { scope: 'read' })),
    ).toEqual({
      name: 'ResponseBodyError',
      code: 'OAUTH_RESPONSE_BODY_ERROR',
      error: 'invalid_scope',
      status: 400,
    })
    await client.refreshTokenGrant(config, refresh_token as string)
  })

  it('that a public client may not introspect (RFC 7662 §2.1)', async () => {
    const config = await start(SPA)
    const { access_token } = await signIn(config)
    expect(await refusal(client.tokenIntrospection(config, access_token))).toMatchObject({
      error: 'invalid_client',
      status: 401,
    })
  })
})
