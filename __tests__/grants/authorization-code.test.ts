import { expectUncached, fixture } from '../support/fixture'

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
})
