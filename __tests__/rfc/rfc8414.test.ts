// Clients that others wrote find the server by nothing but its issuer (RFC 8414, OpenID Connect Discovery).
import * as oauth from 'oauth4webapi'
import { fixture, ISSUER, reach } from '../support/fixture'

it.each(['oauth2', 'oidc'] as const)(
  'is discovered by %s, and the whole flow follows from it (RFC 8414 §3)',
  async (algorithm) => {
    const server = fixture()
    const options = { [oauth.customFetch]: await reach(server.app), [oauth.allowInsecureRequests]: true }
    const issuer = new URL(ISSUER)
    const as = await oauth.processDiscoveryResponse(
      issuer,
      await oauth.discoveryRequest(issuer, { ...options, algorithm }),
    )

    expect(as).toMatchObject({
      issuer: ISSUER,
      token_endpoint: `${ISSUER}/token`,
      jwks_uri: `${ISSUER}/jwks`,
    })
    const { access_token } = await server.tokens()
    const claims = await oauth.validateJwtAccessToken(
      as,
      new Request('http://localhost:3000/api', { headers: { Authorization: `Bearer ${access_token}` } }),
      ISSUER,
      options,
    )
    expect(claims.sub).toBe('alice')
  },
)

it('is not taken for another issuer that shares its host (RFC 8414 §3.3)', async () => {
  const { app } = fixture()
  const options = { [oauth.customFetch]: await reach(app), [oauth.allowInsecureRequests]: true }
  for (const other of [
    'http://localhost:3000',
    'http://localhost:3000/oauth/',
    'http://localhost:3000/other',
  ]) {
    const issuer = new URL(other)
    const found = oauth
      .discoveryRequest(issuer, options)
      .then((response) => oauth.processDiscoveryResponse(issuer, response))
    await expect(found).rejects.toBeInstanceOf(oauth.OperationProcessingError)
  }
})
