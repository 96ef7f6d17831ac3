import { type ClientAuthMethod, OAuthError } from '../../lib'
import { CLIENTS, expectRefusal, type FixtureOptions, fixture } from '../support/fixture'

/** As a host would write one: a header that its gateway sets. */
const gateway: ClientAuthMethod = {
  name: 'gateway',
  find({ headers }) {
    const value = headers['x-gateway-client']
    if (typeof value !== 'string') return undefined
    const [clientId = '', proof = ''] = value.split(' ')
    if (proof === 'malformed') throw new OAuthError('invalid_request', 'The header is malformed.')
    return { clientId, proof }
  },
  verify: async ({ proof }, client) =>
    client !== undefined && proof === `proof of ${client.client_id}`.replaceAll(' ', '-'),
}

function server(method: ClientAuthMethod = gateway, more: FixtureOptions = {}) {
  return fixture({
    clientAuthMethods: [method],
    clients: [...CLIENTS, { client_id: 'inside', token_endpoint_auth_method: method.name, grant_types: [] }],
    ...more,
  })
}

const ask = (header: string, form = 'token=x', method?: ClientAuthMethod) =>
  server(method).post('/introspect', form).set('X-Gateway-Client', header)

describe('a client-authentication method of the host’s', () => {
  it('proves its clients, beside the others (RFC 6749 §2.3.2)', async () => {
    expect((await ask('inside proof-of-inside')).status).toBe(200)
    expect((await server().post('/introspect', 'token=x').auth('web', 'web-secret')).status).toBe(200)
  })

  it('is advertised (RFC 8414 §2)', async () => {
    const { body } = await server().get('/.well-known/openid-configuration/oauth')
    expect(body.token_endpoint_auth_methods_supported).toEqual([
      'client_secret_basic',
      'client_secret_post',
      'none',
      'gateway',
    ])
  })

  it.each([
    ['a wrong proof', 'inside wrong'],
    ['an unknown client', 'nobody proof-of-nobody'],
    ['a client of another method', 'web proof-of-web'],
    ['a public client', 'spa proof-of-spa'],
  ])('refuses %s (RFC 6749 §5.2)', async (_, header) => {
    expectRefusal(await ask(header), 401, 'invalid_client')
  })

  it('refuses its client by any other method (RFC 6749 §2.3)', async () => {
    expectRefusal(await server().post('/introspect', 'token=x&client_id=inside'), 401, 'invalid_client')
    expectRefusal(await server().post('/introspect', 'token=x').auth('inside', ''), 401, 'invalid_client')
  })

  it('is one method: with another it is two (RFC 6749 §2.3)', async () => {
    expectRefusal(await ask('inside proof-of-inside').auth('web', 'web-secret'), 400, 'invalid_request')
    const form = 'token=x&client_id=inside&client_secret=x'
    expectRefusal(await ask('inside proof-of-inside', form), 400, 'invalid_request')
  })

  it('must agree with the client_id in the body (RFC 6749 §3.2.1)', async () => {
    expect((await ask('inside proof-of-inside', 'token=x&client_id=inside')).status).toBe(200)
    expectRefusal(await ask('inside proof-of-inside', 'token=x&client_id=spa'), 400, 'invalid_request')
  })

  it('is asked about unknown clients too, so that they cost the same (RFC 6749 §5.2)', async () => {
    const asked: unknown[] = []
    const method: ClientAuthMethod = {
      ...gateway,
      verify: (credentials, client) => {
        asked.push([credentials.clientId, client?.client_id])
        return true
      },
    }
    for (const id of ['nobody', 'web', 'inside']) await ask(`${id} x`, 'token=x', method)
    expect(asked).toEqual([
      ['nobody', undefined],
      ['web', 'web'],
      ['inside', 'inside'],
    ])
  })

  it('may say what is wrong with a request', async () => {
    const response = await ask('inside malformed')
    expectRefusal(response, 400, 'invalid_request')
    expect(response.body.error_description).toBe('The header is malformed.')
  })

  it.each([
    ['rejects', () => Promise.reject(new Error('The table of proofs is away.'))],
    [
      'throws',
      () => {
        throw new Error('The table of proofs is away.')
      },
    ],
  ])('lets nobody in when it %s', async (_, verify) => {
    const response = await ask('inside proof-of-inside', 'token=x', { ...gateway, verify })
    expect(response.status).toBe(500)
    expect(response.body).toEqual({ error: 'server_error', error_description: 'The server failed.' })
  })
})
