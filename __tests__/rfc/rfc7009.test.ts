// A client that others wrote signs a user out (RFC 7009).
import * as oauth from 'oauth4webapi'
import { memoryStore } from '../../lib'
import { expectRefusal, fixture, ISSUER, reach } from '../support/fixture'

const SERVER: oauth.AuthorizationServer = { issuer: ISSUER, revocation_endpoint: `${ISSUER}/revoke` }

const CLIENTS: [string, oauth.ClientAuth][] = [
  ['spa', oauth.None()],
  ['web', oauth.ClientSecretBasic('web-secret')],
  ['post', oauth.ClientSecretPost('post-secret')],
]

it.each(CLIENTS)(
  'signs the user of %s out, by whichever token it still has (RFC 7009 §2.1, §2.2)',
  async (clientId, auth) => {
    for (const kind of ['access_token', 'refresh_token'] as const) {
      const server = fixture()
      const options = { [oauth.customFetch]: await reach(server.app), [oauth.allowInsecureRequests]: true }
      const tokens = await server.tokens({ client_id: clientId })

      const response = await oauth.revocationRequest(SERVER, { client_id: clientId }, auth, tokens[kind], {
        ...options,
        additionalParameters: { token_type_hint: kind },
      })
      await oauth.processRevocationResponse(response)

      expect((await server.oauth.grants.list('alice')).grants).toEqual([])
      expect(server.eventsOf('grant.revoked')).toMatchObject([{ by: 'client', clientId }])
    }
  },
)

it('keeps a client from believing that it signed out while the store is down (RFC 7009 §2.2.1)', async () => {
  const server = fixture({ store: { ...memoryStore(), revoke: () => Promise.reject(new Error('down')) } })
  const options = { [oauth.customFetch]: await reach(server.app), [oauth.allowInsecureRequests]: true }
  const { refresh_token } = await server.tokens()

  const response = await oauth.revocationRequest(
    SERVER,
    { client_id: 'spa' },
    oauth.None(),
    refresh_token,
    options,
  )
  await expect(oauth.processRevocationResponse(response)).rejects.toMatchObject({
    name: 'OperationProcessingError',
  })
  expect(response.status).toBe(503)
  expect((await server.refresh(refresh_token)).status).toBe(200)
})

it('ends nothing for a thief who has the token and no client to name (RFC 7009 §2.1, §5)', async () => {
  const server = fixture()
  const { refresh_token } = await server.tokens({ client_id: 'web' })

  expectRefusal(await server.post('/revoke', { token: refresh_token }), 401, 'invalid_client')
  expect((await server.oauth.grants.list('alice')).grants).toHaveLength(1)
})
