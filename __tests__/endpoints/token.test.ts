import { inspect } from 'node:util'
import { type GrantType, memoryStore, OAuthError, type Signer, type TokenStore } from '../../lib'
import {
  CLIENTS,
  claimsOf,
  ES256,
  expectRefusal,
  expectUncached,
  fixture,
  jws,
  SECRET,
  VERIFIER,
} from '../support/fixture'

describe('the grant type', () => {
  it.each([
    ['is missing', '', 'invalid_request'],
    ['is empty', 'grant_type=', 'invalid_request'],
    ['is there twice', 'grant_type=refresh_token&grant_type=refresh_token', 'invalid_request'],
    ['is known to nobody', 'grant_type=password', 'unsupported_grant_type'],
    ['is a name that every object has', 'grant_type=__proto__', 'unsupported_grant_type'],
    ['is spelled in another case', 'grant_type=Refresh_token', 'unsupported_grant_type'],
  ])('%s: refused (RFC 6749 §5.2)', async (_what, form, error) => {
    expectRefusal(await fixture().post('/token', `client_id=spa&${form}`), 400, error)
  })

  it('that the client may not use is unauthorized_client, and nothing is looked at (RFC 6749 §5.2)', async () => {
    const server = fixture({
      clients: CLIENTS.map((client) =>
        client.client_id === 'spa' ? { ...client, grant_types: ['authorization_code'] } : client,
      ),
    })
    expectRefusal(await server.refresh('x'), 400, 'unauthorized_client')
    expectRefusal(
      await server.post('/token', { client_id: 'spa', grant_type: 'refresh_token' }),
      400,
      'unauthorized_client',
    )
  })
})

describe("a grant type of the host's own (RFC 6749 §4.5)", () => {
  const NAME = 'urn:example:api-key'
  const clients = CLIENTS.map((client) => ({ ...client, grant_types: [NAME, 'refresh_token'] }))

  function withGrant(handle: GrantType['handle']) {
    return fixture({ clients, grants: [{ name: NAME, parameters: ['api_key'], handle }] })
  }
  const ask = { client_id: 'spa', grant_type: NAME, api_key: 'k-1' }

  it('has its answer like any other, and a refresh token that goes on', async () => {
    const server = withGrant(async ({ client }, context) =>
      context.newGrant(client, { subject: 'alice', scope: ['openid', 'offline_access'], label: 'CLI' }),
    )
    const response = await server.post('/token', ask)

    expect(response.status).toBe(200)
    expectUncached(response)
    expect(response.body).toEqual({
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 600,
      scope: 'openid offline_access',
      refresh_token: expect.stringMatching(/^[\w-]{52}$/),
      id_token: expect.any(String),
    })
    expect(claimsOf(response.body.id_token)).not.toHaveProperty('nonce')
    expect((await server.refresh(response.body.refresh_token)).status).toBe(200)
    expect((await server.oauth.grants.list('alice')).grants).toMatchObject([
      { label: 'CLI', clientId: 'spa' },
    ])
  })

  it('sees its own parameters and no others, least of all credentials', async () => {
    const seen: Record<string, string | undefined> = {}
    const server = withGrant(async ({ client, parameters }, context) => {
      for (const name of ['api_key', 'client_secret', 'grant_type', 'other'])
        seen[name] = parameters.get(name)
      return context.newGrant(client, { subject: 'alice' })
    })
    await server.post('/token', { ...ask, client_id: 'post', client_secret: 'post-secret', other: 'x' })
    expect(seen).toEqual({
      api_key: 'k-1',
      client_secret: undefined,
      grant_type: undefined,
      other: undefined,
    })
  })

  it('refuses with an OAuthError, word for word', async () => {
    const server = withGrant(async () => {
      throw new OAuthError('invalid_grant', 'The API key is not valid.', { cause: new Error('secret') })
    })
    const response = await server.post('/token', ask)
    expectRefusal(response, 400, 'invalid_grant')
    expect(response.text).toBe('{"error":"invalid_grant","error_description":"The API key is not valid."}')
  })

  it('that throws anything else is a server_error, and says nothing of it (RFC 6749 §5.2)', async () => {
    const server = withGrant(async () => {
      throw new Error('secret of the host')
    })
    const response = await server.post('/token', ask)
    expectRefusal(response, 500, 'server_error')
    expect(response.text).not.toMatch(/secret|stack|Error:/)
    expect(server.eventsOf('request.refused')).toMatchObject([
      { endpoint: 'token', status: 500, clientId: 'spa', cause: new Error('secret of the host') },
    ])
  })
})

describe('signing comes before the commit', () => {
  it('so that a key that cannot sign costs nobody a code or a refresh token', async () => {
    let locked = false
    const kms: Signer = {
      alg: 'ES256',
      kid: 'kms-1',
      publicJwk: ES256.export({ format: 'jwk' }),
      async sign(typ, claims) {
        if (locked) throw new Error('the key is locked')
        return jws({ alg: 'ES256', typ, kid: 'kms-1' }, claims)
      },
    }
    const server = fixture({ signingKeys: [kms], overlap: 0, codeReplaySeconds: 0 })
    const code = await server.code()

    locked = true
    const refused = await server.exchange(code)
    expectRefusal(refused, 503, 'temporarily_unavailable')
    expect(refused.headers['retry-after']).toBe('1')
    expect(server.eventsOf('host.trouble')).toMatchObject([{ operation: 'sign' }])

    locked = false
    const { body } = await server.exchange(code)
    locked = true
    expectRefusal(await server.refresh(body.refresh_token), 503, 'temporarily_unavailable')
    locked = false
    expect((await server.refresh(body.refresh_token)).status).toBe(200)
  })
})

describe('the store', () => {
  it.each(['find', 'advance'] as const)(
    'is down in %s: 503 and never invalid_grant, and the retry works',
    async (method) => {
      let down = false
      const memory = memoryStore()
      const failing = (...call: never[]) =>
        down ? Promise.reject(new Error('down')) : (memory[method] as (...call: never[]) => unknown)(...call)
      const server = fixture({ store: { ...memory, [method]: failing } as TokenStore })
      const { refresh_token } = await server.tokens()

      down = true
      const response = await server.refresh(refresh_token)
      expectRefusal(response, 503, 'temporarily_unavailable')
      expect(response.headers['retry-after']).toBe('1')

      down = false
      expect((await server.refresh(refresh_token)).status).toBe(200)
    },
  )

  it('hangs: 503 within the deadline', async () => {
    const server = fixture({
      store: { ...memoryStore(), find: () => new Promise(() => {}) },
      storeTimeoutSeconds: 0.05,
    })
    expectRefusal(await server.exchange(await server.code()), 503, 'temporarily_unavailable')
  })
})

it('tells in no event what a code, a token, a verifier or a secret is', async () => {
  const server = fixture({ overlap: 0, codeReplaySeconds: 0 })
  const code = await server.code({ client_id: 'web' })
  const form = { client_id: undefined }
  const { body } = await server.exchange(code, form).auth('web', 'web-secret')
  await server.exchange(code, { ...form, code_verifier: 'wrong' }).auth('web', 'web-secret')
  await server.exchange(code, form).auth('web', 'wrong-secret')
  await server.exchange(code, form).auth('web', 'web-secret')
  await server.refresh(body.refresh_token, form).auth('web', 'web-secret')
  await server.post('/token', `refresh_token=${body.refresh_token}&refresh_token=x&client_id=spa`)
  await server.post('/revoke', { token: body.access_token }).auth('web', 'web-secret')
  await server.post('/introspect', { token: body.id_token }).auth('web', 'web-secret')

  const told = inspect(server.events, { depth: Number.POSITIVE_INFINITY })
  expect(server.events.length).toBeGreaterThan(6)
  for (const secret of [code, body.access_token, body.refresh_token, body.id_token, VERIFIER, SECRET])
    expect(told).not.toContain(secret)
  expect(told).not.toMatch(/web-secret|wrong-secret/)
})
