// An API elsewhere checks access tokens by the published keys alone, by a library that others wrote (RFC 9068 §4).
import * as oauth from 'oauth4webapi'
import { claimsOf, fixture, headerOf, ISSUER, reach } from '../support/fixture'

const SERVER: oauth.AuthorizationServer = { issuer: ISSUER, jwks_uri: `${ISSUER}/jwks` }
const API = 'https://api.example'

async function setUp() {
  const server = fixture({ audience: API, scopes: ['openid', 'offline_access', 'read'] })
  const options = { [oauth.customFetch]: await reach(server.app), [oauth.allowInsecureRequests]: true }
  const validate = (token: string, audience = API) =>
    oauth.validateJwtAccessToken(
      SERVER,
      new Request('https://api.example/', { headers: { Authorization: `Bearer ${token}` } }),
      audience,
      options,
    )
  return { server, validate }
}

it('accepts those of a code exchange and of a refresh, which differ in jti alone but for the time (RFC 9068 §2.2)', async () => {
  const { server, validate } = await setUp()
  const first = await server.tokens({ scope: 'openid offline_access read' })
  const { body: second } = await server.refresh(first.refresh_token)
  const [before, after] = [await validate(first.access_token), await validate(second.access_token)]

  expect(headerOf(first.access_token)).toEqual({ alg: 'ES256', typ: 'at+jwt', kid: expect.any(String) })
  expect(before).toEqual({
    iss: ISSUER,
    sub: 'alice',
    aud: API,
    client_id: 'spa',
    scope: 'openid offline_access read',
    iat: expect.any(Number),
    exp: expect.any(Number),
    jti: expect.any(String),
    grant_id: expect.any(String),
  })
  expect(after).toEqual({
    ...before,
    iat: expect.any(Number),
    exp: expect.any(Number),
    jti: expect.any(String),
  })
  expect(after.jti).not.toBe(before.jti)
})

it('refuses an ID token, and an access token for another API (RFC 9068 §4, §5)', async () => {
  const { server, validate } = await setUp()
  const { access_token, id_token } = await server.tokens()

  await expect(validate(id_token, 'spa')).rejects.toBeInstanceOf(oauth.OperationProcessingError)
  await expect(validate(access_token, 'https://other.example')).rejects.toBeInstanceOf(
    oauth.OperationProcessingError,
  )
  await expect(validate(access_token)).resolves.toBeDefined()
})

it('holds nothing of the user but the subject, and nothing that makes a refresh token (RFC 9068 §6)', async () => {
  const { server } = await setUp()
  const { access_token, refresh_token } = await server.tokens()
  const grantId = Buffer.from(refresh_token, 'base64url').subarray(3, 19)

  const spelled = [grantId.toString('base64url'), grantId.toString('hex'), grantId.toString('base64')]
  for (const spelling of spelled)
    expect(JSON.stringify(claimsOf(access_token))).not.toContain(spelling.slice(0, 20))
})
