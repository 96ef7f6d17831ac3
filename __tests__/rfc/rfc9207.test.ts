// A client that others wrote, which talks to several servers, tells whose answer it got (RFC 9207).
import * as oauth from 'oauth4webapi'
import { fixture, ISSUER } from '../support/fixture'

const CLIENT = { client_id: 'spa' }

async function serverAt(issuer: string, options: Parameters<typeof fixture>[0] = {}) {
  const server = fixture({ issuer, mountPath: '/oauth', ...options })
  const { body } = await server.get('/oauth/.well-known/openid-configuration')
  return { server, as: body as oauth.AuthorizationServer }
}

const answer = (location: string | undefined) => new URL(location as string)

it('finds the issuer of the metadata in a success (RFC 9207 §2, §2.3, §2.4)', async () => {
  const { server, as } = await serverAt(ISSUER)
  expect(as.authorization_response_iss_parameter_supported).toBe(true)

  const { headers } = await server.authorize()
  const parameters = oauth.validateAuthResponse(as, CLIENT, answer(headers.location), 'a state')
  expect(parameters.get('code')).toMatch(/^[\w-]{52}$/)
})

it.each([
  ['of the request', {}, { response_type: 'token' }, 'unsupported_response_type'],
  ['of the user', { authorize: () => ({ error: 'access_denied' as const }) }, {}, 'access_denied'],
  ['of the host', { authorize: () => Promise.reject(new Error('down')) }, {}, 'temporarily_unavailable'],
])('finds it in an error %s as well (RFC 9207 §2)', async (_what, options, overrides, error) => {
  const { server, as } = await serverAt(ISSUER, options)
  const { headers } = await server.authorize(overrides)

  expect(() => oauth.validateAuthResponse(as, CLIENT, answer(headers.location), 'a state')).toThrow(
    expect.objectContaining({ name: 'AuthorizationResponseError', error }),
  )
})

it('does not take the answer of another server for ours: a mix-up ends here (RFC 9207 §4, RFC 9700 §4.4)', async () => {
  const honest = await serverAt(ISSUER)
  const other = await serverAt('http://127.0.0.1:3000/oauth')
  const { headers } = await other.server.authorize()

  expect(() => oauth.validateAuthResponse(honest.as, CLIENT, answer(headers.location), 'a state')).toThrow(
    oauth.OperationProcessingError,
  )
  expect(() =>
    oauth.validateAuthResponse(other.as, CLIENT, answer(headers.location), 'a state'),
  ).not.toThrow()
})
