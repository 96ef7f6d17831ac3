// An API asks about the tokens it is sent, by a client that others wrote (RFC 7662).
import * as oauth from 'oauth4webapi'
import { fixture, ISSUER, reach } from '../support/fixture'

const SERVER: oauth.AuthorizationServer = { issuer: ISSUER, introspection_endpoint: `${ISSUER}/introspect` }

it('follows a token through its life: active, refreshed, revoked (RFC 7662 §2.2, §4)', async () => {
  const server = fixture({ audience: 'api', scopes: ['openid', 'offline_access', 'read'] })
  const options = { [oauth.customFetch]: await reach(server.app), [oauth.allowInsecureRequests]: true }
  const api = { client_id: 'api' }
  const ask = async (token: string) =>
    oauth.processIntrospectionResponse(
      SERVER,
      api,
      await oauth.introspectionRequest(SERVER, api, oauth.ClientSecretBasic('api-secret'), token, options),
    )

  const first = await server.tokens({ scope: 'openid offline_access read' })
  expect(await ask(first.access_token)).toMatchObject({
    active: true,
    sub: 'alice',
    client_id: 'spa',
    scope: 'openid offline_access read',
  })

  const { body: second } = await server.refresh(first.refresh_token, { scope: 'read' })
  expect(await ask(second.access_token)).toMatchObject({ active: true, scope: 'read' })
  expect(await ask(first.access_token)).toMatchObject({ active: true })

  await server.post('/revoke', { client_id: 'spa', token: second.refresh_token })
  for (const token of [first.access_token, second.access_token, second.refresh_token])
    expect(await ask(token)).toEqual({ active: false })
})
