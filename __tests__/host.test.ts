// A function of the host's that never answers: the request is answered all the same, and the operator is told.
import type { ClientAuthMethod, GrantType, Signer } from '../lib'
import { CLIENTS, ES256, expectUnavailable, type FixtureOptions, fixture } from './support/fixture'

afterEach(() => {
  jest.restoreAllMocks()
})

let hanging = false
const hangs = <T>(otherwise: T): T | Promise<never> => (hanging ? new Promise(() => {}) : otherwise)

const signer: Signer = {
  alg: 'ES256',
  kid: 'kms',
  publicJwk: ES256.export({ format: 'jwk' }),
  sign: () => hangs(Promise.resolve('a.b.c')),
}

const grantType: GrantType = {
  name: 'urn:example:hangs',
  parameters: [],
  handle: async ({ client }, context) => hangs(context.newGrant(client, { subject: 'alice' })),
}

const method: ClientAuthMethod = {
  name: 'hangs',
  find: ({ parameters }) => (parameters.get('client_id') === 'own' ? { clientId: 'own' } : undefined),
  verify: () => hangs(true),
}
const own = { client_id: 'own', token_endpoint_auth_method: 'hangs', grant_types: ['urn:example:hangs'] }
const OWN = { grant_type: 'urn:example:hangs', client_id: 'own' }

const CASES: { operation: string; reason: string; options: FixtureOptions; form?: Record<string, string> }[] =
  [
    {
      operation: 'clients',
      reason: 'find_client_failed',
      options: { clients: (id) => hangs(CLIENTS.find(({ client_id }) => client_id === id)) },
    },
    { operation: 'findAccount', reason: 'find_account_failed', options: { findAccount: () => hangs({}) } },
    { operation: 'sign', reason: 'signing_failed', options: { signingKeys: [signer] } },
    {
      operation: 'grants',
      reason: 'grant_type_failed',
      options: { grants: [grantType], clients: [{ ...own, token_endpoint_auth_method: 'none' }] },
      form: OWN,
    },
    {
      operation: 'clientAuthMethods',
      reason: 'client_auth_method_failed',
      options: { clientAuthMethods: [method], clients: [own], grants: [grantType] },
      form: OWN,
    },
  ]

describe('a function of the host’s that never answers is 503 after ten seconds, and one event', () => {
  it.each(CASES)('$operation', async ({ operation, reason, options, form }) => {
    hanging = false
    const server = fixture(options)
    const request = form ?? {
      grant_type: 'refresh_token',
      client_id: 'spa',
      refresh_token: (await server.tokens()).refresh_token,
    }
    server.events.length = 0

    hanging = true
    // Ten seconds are counted in five steps.
    const realTimer = setTimeout
    jest
      .spyOn(globalThis, 'setTimeout')
      .mockImplementation((done, ms, ...given) => realTimer(done, ms === 2000 ? 10 : ms, ...given))
    expectUnavailable(await server.post('/token', request))
    expect(server.events).toMatchObject([
      { type: 'host.trouble', operation, cause: { message: `${operation} did not answer within 10 s.` } },
      { type: 'request.refused', status: 503, reason },
    ])

    // Nothing has changed by it.
    hanging = false
    expect((await server.post('/token', request)).status).toBe(200)
  })
})
