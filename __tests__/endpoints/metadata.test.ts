import request from 'supertest'
import type { GrantType } from '../../lib'
import { fixture, ISSUER } from '../support/fixture'

const DOCUMENT = '/.well-known/oauth-authorization-server/oauth'

const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512']

const apiKey: GrantType = {
  name: 'urn:example:api-key',
  parameters: ['api_key'],
  handle: async ({ client }, context) => context.newGrant(client, { subject: 'alice' }),
}

async function documentOf(options: Parameters<typeof fixture>[0] = {}) {
  return (await fixture(options).get(DOCUMENT)).body
}

describe('the discovery document', () => {
  it('says what there is (RFC 8414 §2, OIDC Discovery §3)', async () => {
    expect(await documentOf()).toEqual({
      issuer: ISSUER,
      authorization_endpoint: `${ISSUER}/authorize`,
      pushed_authorization_request_endpoint: `${ISSUER}/par`,
      require_pushed_authorization_requests: false,
      token_endpoint: `${ISSUER}/token`,
      revocation_endpoint: `${ISSUER}/revoke`,
      introspection_endpoint: `${ISSUER}/introspect`,
      userinfo_endpoint: `${ISSUER}/userinfo`,
      jwks_uri: `${ISSUER}/jwks`,
      scopes_supported: ['openid', 'offline_access'],
      response_types_supported: ['code'],
      authorization_signing_alg_values_supported: ['ES256'],
      prompt_values_supported: ['none', 'login', 'consent', 'select_account'],
      response_modes_supported: ['query', 'form_post', 'jwt', 'query.jwt', 'form_post.jwt'],
      grant_types_supported: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'none'],
      revocation_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'none'],
      introspection_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
      code_challenge_methods_supported: ['S256'],
      authorization_response_iss_parameter_supported: true,
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256'],
      claim_types_supported: ['normal'],
      claims_supported: ['sub', 'auth_time', 'acr', 'amr', 'sid'],
      request_parameter_supported: true,
      request_object_signing_alg_values_supported: ALGORITHMS,
      request_uri_parameter_supported: false,
      claims_parameter_supported: true,
    })
  })

  it('is open to scripts of any origin, and may be kept for a while (RFC 8414 §3.2)', async () => {
    const { status, headers } = await fixture().get(DOCUMENT).set('Origin', 'https://spa.example')
    expect(status).toBe(200)
    expect(headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'public, max-age=300',
      'access-control-allow-origin': '*',
    })
  })

  it('names no endpoint that does not answer (RFC 8414 §2)', async () => {
    const server = fixture()
    const { body } = await server.get(DOCUMENT)
    const urls = Object.entries(body).filter(([name]) => /_endpoint$|_uri$/.test(name)) as [string, string][]

    expect(urls).toHaveLength(7)
    for (const [name, url] of urls) {
      const { pathname } = new URL(url)
      const get = await server.get(pathname)
      const post = await request(server.app).post(pathname).type('form').send('')
      // What is there refuses an empty request in its own words, or answers it; what is not would be 404.
      const allowed: Record<string, number[]> = {
        jwks_uri: [200, 405],
        authorization_endpoint: [400, 400],
        userinfo_endpoint: [401, 401],
      }
      expect([name, get.status, post.status]).toEqual([name, ...(allowed[name] ?? [405, 401])])
    }
  })

  it('names no authorization endpoint where nothing authorizes (RFC 8414 §2, RFC 9207 §2.3)', async () => {
    const document = await documentOf({ authorize: undefined })
    expect(document).not.toHaveProperty('authorization_endpoint')
    expect(document).not.toHaveProperty('authorization_response_iss_parameter_supported')
    expect(document).not.toHaveProperty('pushed_authorization_request_endpoint')
    expect(document).not.toHaveProperty('request_object_signing_alg_values_supported')
    expect(document.request_parameter_supported).toBe(false)
  })

  it("names an authorize page of the host's own", async () => {
    const authorizationEndpoint = 'https://login.example/authorize'
    expect(await documentOf({ authorize: undefined, authorizationEndpoint })).toMatchObject({
      authorization_endpoint: authorizationEndpoint,
      pushed_authorization_request_endpoint: `${ISSUER}/par`,
      response_types_supported: ['code'],
      response_modes_supported: ['query', 'form_post', 'jwt', 'query.jwt', 'form_post.jwt'],
      authorization_response_iss_parameter_supported: true,
    })
  })

  it("names grant types, client authentication, scope and keys of the host's own", async () => {
    const document = await documentOf({
      grants: [apiKey],
      clientAuthMethods: [{ name: 'magic', find: () => undefined, verify: () => false }],
      scopes: ['openid', 'read'],
    })
    expect(document).toMatchObject({
      grant_types_supported: ['authorization_code', 'refresh_token', 'urn:example:api-key'],
      token_endpoint_auth_methods_supported: expect.arrayContaining(['magic']),
      introspection_endpoint_auth_methods_supported: expect.arrayContaining(['magic']),
      scopes_supported: ['openid', 'read'],
    })
  })

  it('says nothing of ID tokens and userinfo where nobody can ask for them (RFC 8414 §2, OIDC Core §3.1.2.1)', async () => {
    const { body: oidc } = await fixture().get(DOCUMENT)
    const document = await documentOf({ scopes: ['read', 'offline_access'] })
    expect(Object.keys(oidc).filter((name) => !Object.hasOwn(document, name))).toEqual([
      'userinfo_endpoint',
      'subject_types_supported',
      'id_token_signing_alg_values_supported',
      'claim_types_supported',
      'claims_supported',
    ])
    expect(document.claims_parameter_supported).toBe(false)
  })

  it.each([
    ['no scope', { scopes: [] }],
    ['nothing that authorizes', { authorize: undefined }],
  ])('holds no empty list: %s (RFC 8414 §3.2, OIDC Discovery §4.2)', async (_what, options) => {
    const empty = Object.entries(await documentOf(options)).filter(
      ([, value]) => Array.isArray(value) && !value.length,
    )
    expect(empty).toEqual([])
  })
})

describe('the places of the document', () => {
  it.each([
    ['RFC 8414 §3.1, inserted', '/.well-known/oauth-authorization-server/oauth'],
    ['RFC 8414 §5, for OpenID, inserted', '/.well-known/openid-configuration/oauth'],
    ['OIDC Discovery §4, appended', '/oauth/.well-known/openid-configuration'],
    ['appended', '/oauth/.well-known/oauth-authorization-server'],
  ])('are all of one content: %s', async (_what, place) => {
    const server = fixture()
    const response = await server.get(place)
    expect(response.status).toBe(200)
    expect(response.text).toBe((await server.get(DOCUMENT)).text)
  })

  it('are those of RFC 8414 only, where the server knows no openid (OIDC Discovery §4)', async () => {
    const server = fixture({ scopes: ['read'] })
    const statusAt = async (place: string) => (await server.get(place)).status
    expect(await statusAt('/.well-known/oauth-authorization-server/oauth')).toBe(200)
    expect(await statusAt('/oauth/.well-known/oauth-authorization-server')).toBe(200)
    expect(await statusAt('/.well-known/openid-configuration/oauth')).toBe(404)
    expect(await statusAt('/oauth/.well-known/openid-configuration')).toBe(404)
  })

  it.each(['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration'])(
    'are not those of another issuer: %s (RFC 8414 §3.3)',
    async (place) => {
      expect((await fixture().get(place)).status).toBe(404)
    },
  )
})

describe('what the document says of claims (OIDC Discovery §3)', () => {
  it('names those that the known scope stands for', async () => {
    const scopes = ['openid', 'email', 'phone', 'membership']
    const scopeClaims = { membership: ['member_since'] }
    expect(await documentOf({ scopes, scopeClaims })).toMatchObject({
      claims_supported: [
        ...['sub', 'auth_time', 'acr', 'amr', 'sid'],
        ...['email', 'email_verified', 'phone_number', 'phone_number_verified', 'member_since'],
      ],
      claims_parameter_supported: true,
    })
  })

  it('names each once, also where two words stand for it', async () => {
    const scopes = ['openid', 'email', 'contact']
    const scopeClaims = { contact: ['email', 'mobile', 'sub'] }
    const { claims_supported } = await documentOf({ scopes, scopeClaims })
    expect(claims_supported).toEqual([
      ...['sub', 'auth_time', 'acr', 'amr', 'sid'],
      ...['email', 'email_verified', 'mobile'],
    ])
  })

  it.each([
    ['nothing is known of openid', { scopes: ['email'] }],
    ['nothing authorizes', { authorize: undefined }],
  ])('takes no claims parameter where %s', async (_what, options) => {
    expect(await documentOf(options)).toMatchObject({ claims_parameter_supported: false })
  })

  it('names neither a userinfo endpoint nor claims where openid is not known, and there is none', async () => {
    const server = fixture({ scopes: ['email'] })
    const { body } = await server.get(DOCUMENT)
    expect(body).not.toHaveProperty('userinfo_endpoint')
    expect(body).not.toHaveProperty('claims_supported')
    expect((await server.get('/oauth/userinfo')).status).toBe(404)
  })
})
