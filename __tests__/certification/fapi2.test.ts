// What the FAPI 2.0 Security Profile asks of an authorization server on its authorization side (§5.3.2.2), of a router that
// is configured for it. Client authentication by keys and sender-constrained tokens are other sides of it.
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import request, { type Response } from 'supertest'
import { type AuthorizeFunction, type Client, memoryStore } from '../../lib'
import {
  APPROVAL,
  CALLBACK,
  CHALLENGE,
  CLIENTS,
  expectErrorPage,
  expectRefusal,
  fixture,
  ISSUER,
  redirected,
  VERIFIER,
} from '../support/fixture'

/** Shows a page, and answers when its form comes back. */
const authorize: AuthorizeFunction = ({ form }, _req, res) => {
  if (form) return APPROVAL
  res.send('Allow?')
  return undefined
}

const web = CLIENTS.find(({ client_id }) => client_id === 'web') as Client
const other: Client = { ...web, client_id: 'other-web', redirect_uris: ['https://other.example/callback'] }

let time = Date.now()
const server = fixture({
  authorize,
  clients: [web, other],
  requirePushedAuthorizationRequests: true,
  signingKeys: [generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey],
  store: memoryStore({ now: () => time }),
  now: () => time,
})

type Parameters = Record<string, string | undefined>

const REQUEST = {
  client_id: 'web',
  response_type: 'code',
  redirect_uri: CALLBACK,
  scope: 'openid',
  state: 'a state',
  nonce: 'a-nonce',
  code_challenge: CHALLENGE,
  code_challenge_method: 'S256',
}

function push(changes: Parameters = {}) {
  const form = Object.entries({ ...REQUEST, ...changes }).filter(([, value]) => value !== undefined)
  return server.post('/par', Object.fromEntries(form) as Record<string, string>).auth('web', 'web-secret')
}

async function pushed(changes: Parameters = {}): Promise<string> {
  const { status, body, text } = await push(changes)
  if (status !== 201) throw new Error(`not pushed: ${status} ${text}`)
  return body.request_uri
}

const pathOf = (requestUri: string, clientId = 'web') =>
  `/oauth/authorize?${new URLSearchParams({ client_id: clientId, request_uri: requestUri })}`

const allow = (requestUri: string) => request(server.app).post(pathOf(requestUri)).type('form').send('')

function redeem(response: Response, changes: Parameters = {}) {
  const form = {
    grant_type: 'authorization_code',
    code: redirected(response).code,
    redirect_uri: CALLBACK,
    code_verifier: VERIFIER,
    ...changes,
  }
  const given = Object.entries(form).filter(([, value]) => value !== undefined)
  return server.post('/token', Object.fromEntries(given) as Record<string, string>).auth('web', 'web-secret')
}

describe('FAPI 2.0 Security Profile §5.3.2.2', () => {
  test('the discovery document says so (RFC 9126 §5, RFC 9207 §3, RFC 7636)', async () => {
    const { body } = await server.get('/oauth/.well-known/openid-configuration')
    expect(body).toMatchObject({
      response_types_supported: ['code'],
      pushed_authorization_request_endpoint: `${ISSUER}/par`,
      require_pushed_authorization_requests: true,
      code_challenge_methods_supported: ['S256'],
      authorization_response_iss_parameter_supported: true,
      id_token_signing_alg_values_supported: ['ES256'],
    })
  })

  test('the whole flow: a pushed request, 303 with code, state and iss, and the tokens', async () => {
    const requestUri = await pushed()
    const page = await server.get(pathOf(requestUri))
    expect(page.status).toBe(200)
    const response = await allow(requestUri)
    expect(response.status).toBe(303) // never 307: RFC 9700 §4.12
    expect(redirected(response)).toEqual({ code: expect.any(String), state: 'a state', iss: ISSUER })
    expect((await redeem(response)).status).toBe(200)
  })

  test('a request that was not pushed is rejected', async () => {
    const response = await server.authorize({ client_id: 'web' })
    expect(redirected(response)).toMatchObject({ error: 'invalid_request', iss: ISSUER })
  })

  test('a request is not pushed without client authentication, nor by one client for another', async () => {
    expectRefusal(await server.post('/par', REQUEST), 401, 'invalid_client')
    expectRefusal(await push({ client_id: 'other-web' }), 400, 'invalid_request')
  })

  test.each<{ rule: string; changes: Parameters }>([
    { rule: 'without PKCE', changes: { code_challenge: undefined, code_challenge_method: undefined } },
    { rule: 'with plain PKCE', changes: { code_challenge: VERIFIER, code_challenge_method: 'plain' } },
    { rule: 'without redirect_uri', changes: { redirect_uri: undefined } },
    {
      rule: 'that is no OpenID request, without redirect_uri',
      changes: { redirect_uri: undefined, scope: 'offline_access' },
    },
    { rule: 'with a redirect URI that differs by one character', changes: { redirect_uri: `${CALLBACK}/` } },
    { rule: 'with a query added to it', changes: { redirect_uri: `${CALLBACK}?dummy1=lorem` } },
    { rule: 'with a request_uri', changes: { request_uri: 'urn:ietf:params:oauth:request_uri:x' } },
  ])('a request $rule is not taken', async ({ changes }) => {
    expectRefusal(await push(changes), 400, 'invalid_request')
  })

  test.each(['token', 'code id_token', 'id_token'])(
    'the response type %s is not taken',
    async (response_type) => {
      expectRefusal(await push({ response_type }), 400, 'unsupported_response_type')
    },
  )

  test('a request_uri is good for less than 600 seconds', async () => {
    const { body } = await push()
    expect(body).toEqual({ request_uri: expect.stringMatching(/^urn:/), expires_in: expect.any(Number) })
    expect(body.expires_in).toBeGreaterThan(0)
    expect(body.expires_in).toBeLessThan(600)
    time += body.expires_in * 1000
    expectErrorPage(await server.get(pathOf(body.request_uri)))
  })

  test('a request_uri belongs to its client (RFC 9126 §2.2)', async () => {
    expectErrorPage(await server.get(pathOf(await pushed(), 'other-web')))
  })

  test('a request_uri may be visited again before the user has answered, and not after it (Note 3)', async () => {
    const requestUri = await pushed()
    await server.get(pathOf(requestUri))
    expect((await server.get(pathOf(requestUri))).text).toBe('Allow?')
    expect(redirected(await allow(requestUri))).toHaveProperty('code')
    expectErrorPage(await server.get(pathOf(requestUri)))
  })

  test('parameters beside a request_uri change nothing', async () => {
    const requestUri = await pushed()
    const response = await request(server.app)
      .post(`${pathOf(requestUri)}&state=another&redirect_uri=${encodeURIComponent('https://evil.example/')}`)
      .type('form')
      .send('')
    expect(response.headers.location?.startsWith(`${CALLBACK}?`)).toBe(true)
    expect(redirected(response)).toMatchObject({ state: 'a state' })
  })

  test('a code is good for 60 seconds at most', async () => {
    const response = await allow(await pushed())
    time += 60_000
    expectRefusal(await redeem(response), 400, 'invalid_grant')
  })

  test('a code is good once, for its client, and with its verifier', async () => {
    const response = await allow(await pushed())
    expectRefusal(await redeem(response, { code_verifier: undefined }), 400, 'invalid_grant')
    const wrong = randomBytes(32).toString('base64url')
    expectRefusal(await redeem(response, { code_verifier: wrong }), 400, 'invalid_grant')
    const stolen = await server
      .post('/token', {
        grant_type: 'authorization_code',
        code: redirected(response).code as string,
        redirect_uri: CALLBACK,
        code_verifier: VERIFIER,
      })
      .auth('other-web', 'web-secret')
    expectRefusal(stolen, 400, 'invalid_grant')
    expect((await redeem(response)).status).toBe(200)
    expectRefusal(await redeem(response), 400, 'invalid_grant')
  })

  test('a nonce of 64 characters comes back in the ID token', async () => {
    const nonce = 'n'.repeat(64)
    const { body } = await redeem(await allow(await pushed({ nonce })))
    const [, claims = ''] = body.id_token.split('.')
    expect(JSON.parse(Buffer.from(claims, 'base64url').toString())).toMatchObject({ nonce })
  })

  test('a request without state or nonce is good, and gets none back', async () => {
    const response = await allow(await pushed({ state: undefined, nonce: undefined }))
    expect(redirected(response)).toEqual({ code: expect.any(String), iss: ISSUER })
  })
})
