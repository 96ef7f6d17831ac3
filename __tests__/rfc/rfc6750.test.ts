// A client that others wrote calls an API that requireAccessToken guards, and reads the challenges (RFC 6750).
import * as oauth from 'oauth4webapi'
import type { RequireAccessTokenOptions } from '../../lib'
import { type Fixture, fixture, ISSUER, reach } from '../support/fixture'

async function caller(server: Fixture, guard: RequireAccessTokenOptions = {}) {
  server.app.use('/api', server.oauth.requireAccessToken(guard), (req, res) => {
    res.json({ hello: req.accessToken?.subject })
  })
  const options = { [oauth.customFetch]: await reach(server.app), [oauth.allowInsecureRequests]: true }
  const url = new URL('/api', ISSUER)
  return (token: string, method = 'GET') =>
    oauth.protectedResourceRequest(token, method, url, undefined, null, options)
}

/** The challenges that the client understood. */
async function challenges(answer: Promise<Response>) {
  const error = await answer.then(
    () => undefined,
    (thrown) => thrown,
  )
  expect(error).toBeInstanceOf(oauth.WWWAuthenticateChallengeError)
  return { status: error.status, challenges: error.cause }
}

it('lets the token of a code exchange in, by every method (RFC 6750 §2.1)', async () => {
  const server = fixture()
  const call = await caller(server)
  const { access_token } = await server.tokens()

  for (const method of ['GET', 'POST', 'PUT', 'DELETE'])
    expect(await (await call(access_token, method)).json()).toEqual({ hello: 'alice' })
  expect((await call(access_token, 'HEAD')).status).toBe(200)
})

it('tells a client that its token is not valid, so that it refreshes (RFC 6750 §3.1)', async () => {
  const server = fixture()
  const call = await caller(server, { checkGrant: true })
  const { access_token, refresh_token } = await server.tokens()
  await server.post('/revoke', { client_id: 'spa', token: refresh_token })

  expect(await challenges(call(access_token))).toEqual({
    status: 401,
    challenges: [
      {
        scheme: 'bearer',
        parameters: {
          realm: ISSUER,
          error: 'invalid_token',
          error_description: 'The access token is not valid.',
        },
      },
    ],
  })
})

it('tells a client which scope to ask for (RFC 6750 §3, §3.1)', async () => {
  const server = fixture({ scopes: ['read', 'write', 'delete'] })
  const call = await caller(server, { scope: 'write delete' })
  const { access_token } = await server.tokens({ scope: 'read write' })

  expect(await challenges(call(access_token))).toMatchObject({
    status: 403,
    challenges: [
      { scheme: 'bearer', parameters: { realm: ISSUER, error: 'insufficient_scope', scope: 'write delete' } },
    ],
  })
})
