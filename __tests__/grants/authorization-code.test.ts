import { memoryStore } from '../../lib'
import { CALLBACK, expectRefusal, expectUncached, fixture, VERIFIER } from '../support/fixture'

describe('authorization_code', () => {
  it('answers with an access token, an ID token and a refresh token (RFC 6749 §5.1, OIDC Core §3.1.3.3)', async () => {
    const server = fixture()
    const response = await server.exchange(await server.code())

    expect(response.status).toBe(200)
    expectUncached(response)
    expect(response.body).toEqual({
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 600,
      scope: 'openid offline_access',
      refresh_token: expect.stringMatching(/^[A-Za-z0-9_-]{52}$/),
      id_token: expect.any(String),
    })
  })

  it('is for the client it was issued to: for another it stays good, and is not used up (RFC 6749 §4.1.3)', async () => {
    const server = fixture()
    const code = await server.code()

    expectRefusal(await server.exchange(code, { client_id: 'other' }), 400, 'invalid_grant')
    expect(server.eventsOf('request.refused').at(-1)).toMatchObject({ reason: 'other_client' })
    expect((await server.exchange(code)).status).toBe(200)
  })

  describe('the redirect URI of the authorization request (RFC 6749 §4.1.3)', () => {
    const registered = `${CALLBACK}/Path?app=1`

    it.each([
      ['missing', undefined],
      ['empty', ''],
      ['with another case', registered.toLowerCase()],
      ['with a slash more', `${registered}/`],
      ['with the default port spelled out', registered.replace('.example/', '.example:443/')],
      ['with another port', registered.replace('.example/', '.example:8443/')],
      ['with another scheme', registered.replace('https', 'http')],
      ['with another query', `${registered}&b=2`],
      ['with a fragment', `${registered}#`],
      ['percent-encoded', registered.replace('Path', '%50ath')],
      ['with a path that a parser would resolve', registered.replace('Path', 'x/../Path')],
      ['of the same client, but not of this request', CALLBACK],
    ])('refuses it %s, and the code stays good', async (_how, redirectUri) => {
      const clients = [
        {
          client_id: 'spa',
          token_endpoint_auth_method: 'none',
          redirect_uris: [registered, CALLBACK],
          grant_types: ['authorization_code', 'refresh_token'],
        },
      ]
      const server = fixture({ clients })
      const code = await server.code({ redirect_uri: registered })

      expectRefusal(await server.exchange(code, { redirect_uri: redirectUri }), 400, 'invalid_grant')
      expect((await server.exchange(code, { redirect_uri: registered })).status).toBe(200)
    })

    it.each([
      ['left out as well', undefined, 200],
      ['named all the same', CALLBACK, 200],
      ['another', 'https://attacker.example/callback', 400],
    ])(
      'where the request named none, the only registered one counts: %s is %p -> %i',
      async (_how, redirectUri, status) => {
        const server = fixture()
        const code = await server.code({ redirect_uri: undefined, scope: 'offline_access' })

        expect((await server.exchange(code, { redirect_uri: redirectUri })).status).toBe(status)
      },
    )
  })

  it('is good for 60 seconds by the clock of the store, and no longer (RFC 6749 §4.1.2)', async () => {
    let now = 0
    const server = fixture({ store: memoryStore({ now: () => now }) })
    const [inTime, late] = [await server.code(), await server.code()]

    now = 59_999
    expect((await server.exchange(inTime)).status).toBe(200)
    now = 60_000
    expectRefusal(await server.exchange(late), 400, 'invalid_grant')
    expect(server.eventsOf('request.refused').at(-1)).toMatchObject({ reason: 'expired_code' })
  })

  it('lives as long as the option says', async () => {
    let now = 0
    const server = fixture({ store: memoryStore({ now: () => now }), lifetimes: { codeSeconds: 5 } })
    const code = await server.code()

    now = 5000
    expectRefusal(await server.exchange(code), 400, 'invalid_grant')
  })

  it('needs the code (RFC 6749 §4.1.3)', async () => {
    expectRefusal(await fixture().exchange(''), 400, 'invalid_request')
  })

  it('grants what was agreed to, whatever scope the token request names (RFC 6749 §4.1.3)', async () => {
    const server = fixture({ scopes: ['openid', 'offline_access', 'admin'] })
    const { body } = await server.exchange(await server.code(), { scope: 'admin' })

    expect(body.scope).toBe('openid offline_access')
  })

  it('is refused in the same words whatever the cause, so that the answer helps nobody to guess (RFC 6749 §5.2)', async () => {
    const server = fixture()
    const code = await server.code()
    const refusals = [
      await server.exchange('a'.repeat(52)),
      await server.exchange(code, { client_id: 'other' }),
      await server.exchange(code, { redirect_uri: `${CALLBACK}/` }),
      await server.exchange(code, { code_verifier: `${VERIFIER}x` }),
      await server.exchange(code, { code_verifier: undefined }),
      (await server.exchange(code)) && (await server.exchange(code)),
    ]

    expect(new Set(refusals.map(({ status, text }) => `${status} ${text}`)).size).toBe(1)
    expect(new Set(server.eventsOf('request.refused').map(({ reason }) => reason))).toEqual(
      new Set([
        'forged_code',
        'other_client',
        'redirect_uri_mismatch',
        'code_verifier_mismatch',
        'spent_code',
      ]),
    )
  })
})
