import { type Approval, type Client, ConfigError, memoryStore, OAuthError } from '../../lib'
import {
  CALLBACK,
  CHALLENGE,
  CLIENTS,
  claimsOf,
  expectToldToClient,
  fixture,
  ISSUER,
  readRequest,
  redirected,
} from '../support/fixture'

const scopes = ['openid', 'offline_access', 'read', 'write']

const REQUEST = new URLSearchParams({
  response_type: 'code',
  client_id: 'spa',
  redirect_uri: CALLBACK,
  scope: 'read write',
  state: 'a state',
  code_challenge: CHALLENGE,
  code_challenge_method: 'S256',
})

async function issue(approval: Approval, options: Parameters<typeof fixture>[0] = {}) {
  const { oauth } = fixture({ scopes, ...options })
  return oauth.issueCode(await readRequest(oauth, REQUEST), approval)
}

/** The answer to the exchange of a code for this scope, with this approval. */
async function exchanged(scope: string, approval: Partial<Approval>) {
  const server = fixture({ scopes, approval: { subject: 'alice', ...approval } })
  const { status, body } = await server.exchange(await server.code({ scope }))
  expect(status).toBe(200)
  return body
}

describe('issueCode', () => {
  it('answers with the code and where to send the browser (RFC 6749 §4.1.2, RFC 9207 §2)', async () => {
    const { code, redirectTo } = await issue({ subject: 'alice' })

    expect(code).toMatch(/^[\w-]{52}$/)
    expect(redirectTo).toBe(`${CALLBACK}?code=${code}&state=a+state&iss=${encodeURIComponent(ISSUER)}`)
  })

  it('refuses to grant what was not asked for, though the client may have it (RFC 6749 §3.3)', async () => {
    const refusal = issue({ subject: 'alice', scope: ['read', 'offline_access'] })
    await expect(refusal).rejects.toBeInstanceOf(ConfigError)
    await expect(refusal).rejects.toMatchObject({ code: 'wider_approval', option: 'approval.scope' })
  })

  it('refuses a request that lost its code challenge on the way through the host (RFC 9700 §2.1.1)', async () => {
    const { oauth } = fixture()
    const query = { response_type: 'code', client_id: 'spa', redirect_uri: CALLBACK, scope: 'openid' }
    const challenged = { ...query, code_challenge: CHALLENGE, code_challenge_method: 'S256' }
    const request = await readRequest(oauth, challenged)

    const refusal = oauth.issueCode({ ...request, codeChallenge: undefined }, { subject: 'alice' })
    await expect(refusal).rejects.toBeInstanceOf(ConfigError)
    await expect(refusal).rejects.toMatchObject({ code: 'missing_code_challenge' })
  })

  it('refuses to grant less than openid where nonce alone protects the code (RFC 9700 §2.1.1)', async () => {
    const { oauth } = fixture({ scopes, pkce: 'public' })
    const request = await readRequest(oauth, {
      response_type: 'code',
      client_id: 'web',
      redirect_uri: CALLBACK,
      scope: 'openid read',
      nonce: 'a-nonce',
    })
    await expect(oauth.issueCode(request, { subject: 'alice', scope: ['read'] })).rejects.toMatchObject({
      name: 'ConfigError',
      code: 'missing_code_challenge',
    })
    expect(await oauth.issueCode(request, { subject: 'alice', scope: ['openid'] })).toHaveProperty('code')
  })

  it.each([
    ['max_age', { max_age: '3600' }],
    ['prompt=login', { prompt: 'login' }],
    ['default_max_age of the client (OIDC Registration §2)', { client_id: 'strict' }],
  ])(
    'wants to know when the user logged in, where the client asks by %s (OIDC Core §3.1.2.1)',
    async (_what, asked) => {
      const strict = { ...(CLIENTS[0] as Client), client_id: 'strict', default_max_age: 3600 }
      const server = fixture({ approval: { subject: 'alice' }, clients: [...CLIENTS, strict] })
      expectToldToClient(await server.authorize(asked), 'server_error')
      expect(server.events).toMatchObject([
        {
          type: 'request.refused',
          error: 'server_error',
          cause: { name: 'ConfigError', code: 'missing_auth_time', option: 'approval.authTime' },
        },
      ])
    },
  )

  it('takes a request that was kept as JSON, in a session', async () => {
    const { oauth } = fixture()
    const query = { ...Object.fromEntries(REQUEST), scope: 'openid', prompt: 'login', max_age: '60' }
    const kept = JSON.parse(JSON.stringify(await readRequest(oauth, query)))

    const before = { subject: 'alice', authTime: new Date(Date.parse(kept.startedAt) - 1) }
    await expect(oauth.issueCode(kept, before)).rejects.toMatchObject({ code: 'login_required' })
    expect(await oauth.issueCode(kept, { subject: 'alice', authTime: new Date() })).toHaveProperty('code')
  })

  it('rejects with 503 when the store does not answer', async () => {
    const store = { ...memoryStore(), insert: () => Promise.reject(new Error('down')) }
    const refusal = issue({ subject: 'alice' }, { store })

    await expect(refusal).rejects.toBeInstanceOf(OAuthError)
    await expect(refusal).rejects.toMatchObject({
      code: 'temporarily_unavailable',
      status: 503,
      retryAfter: 1,
    })
  })

  it('tells of the code without telling the code', async () => {
    const server = fixture()
    const { code } = redirected(await server.authorize())

    expect(server.events).toEqual([
      {
        type: 'code.issued',
        grant: expect.stringMatching(/^[0-9a-f]{4}\.[\w-]{16}$/),
        clientId: 'spa',
        subject: 'alice',
        scope: ['openid', 'offline_access'],
      },
    ])
    expect(JSON.stringify(server.events)).not.toContain(code)
  })

  it('makes a code for each approval, and never the same one (RFC 6749 §10.10)', async () => {
    const { oauth } = fixture({ scopes })
    const authorization = await readRequest(oauth, REQUEST)
    const issued = await Promise.all(
      Array.from({ length: 50 }, () => oauth.issueCode(authorization, { subject: 'alice' })),
    )
    expect(new Set(issued.map(({ code }) => code)).size).toBe(50)
  })
})

describe('what the approval says', () => {
  it('leaves an OpenID request one where openid was not granted: no offline_access, no refresh token (OIDC Core §11)', async () => {
    expect(await exchanged('openid offline_access read', { scope: ['read'] })).not.toHaveProperty(
      'refresh_token',
    )
  })

  it('becomes the claims of the ID token (OIDC Core §2)', async () => {
    const { id_token } = await exchanged('openid', {
      authTime: new Date('2026-01-02T03:04:05.678Z'),
      sid: 'session-1',
      acr: 'gold',
      amr: ['pwd', 'otp'],
      label: 'Firefox on Linux',
    })

    expect(claimsOf(id_token)).toEqual({
      iss: ISSUER,
      sub: 'alice',
      aud: 'spa',
      iat: expect.any(Number),
      exp: expect.any(Number),
      auth_time: 1767323045,
      at_hash: expect.any(String),
      nonce: 'a-nonce',
      sid: 'session-1',
      acr: 'gold',
      amr: ['pwd', 'otp'],
    })
  })

  it('takes now for authTime unless told, by the clock of the router', async () => {
    const server = fixture({ approval: { subject: 'alice' }, now: () => 1_800_000_000_999 })
    const { id_token } = await server.tokens()
    expect(claimsOf(id_token)).toMatchObject({ auth_time: 1_800_000_000, iat: 1_800_000_000 })
  })
})
