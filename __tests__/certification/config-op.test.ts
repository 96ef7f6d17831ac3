// What the OpenID Foundation's Config OP certification asks.
import { type APIRequestContext, request } from 'playwright-core'
import { type Provider, startProvider } from './provider'
import { readPlan } from './scripted-browser'

let provider: Provider
let http: APIRequestContext

beforeAll(async () => {
  ;[provider, http] = await Promise.all([startProvider(), request.newContext({ ignoreHTTPSErrors: true })])
})
afterAll(async () => {
  await http?.dispose()
  await provider?.stop()
})

describe('Config OP', () => {
  test('oidcc-discovery-endpoint-verification: the document (OpenID Connect Discovery §3, §4)', async () => {
    const { discoveryUrl } = readPlan(provider).server
    const answer = await http.get(discoveryUrl)
    expect(answer.status()).toBe(200)
    expect(answer.headers()['content-type']).toMatch(/^application\/json\b/)
    const metadata = await answer.json()

    // §4.3: what it is found by.
    expect(discoveryUrl).toBe(`${metadata.issuer}/.well-known/openid-configuration`)
    expect(metadata).toMatchObject({
      issuer: provider.issuer,
      response_types_supported: ['code'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: expect.arrayContaining(['RS256']),
      scopes_supported: ['openid', 'profile', 'email', 'address', 'phone', 'offline_access'],
      claims_supported: expect.arrayContaining(['sub', 'name', 'email', 'address', 'phone_number']),
      claims_parameter_supported: true,
      grant_types_supported: ['authorization_code', 'refresh_token'],
      response_modes_supported: expect.arrayContaining(['query', 'form_post']),
      token_endpoint_auth_methods_supported: expect.arrayContaining([
        'client_secret_basic',
        'client_secret_post',
      ]),
      code_challenge_methods_supported: ['S256'],
      request_uri_parameter_supported: false,
    })
    const required = ['authorization_endpoint', 'token_endpoint', 'userinfo_endpoint', 'jwks_uri']
    expect(Object.keys(metadata)).toEqual(expect.arrayContaining(required))
    for (const [name, value] of Object.entries(metadata)) {
      if (name.endsWith('_endpoint') || name === 'jwks_uri') {
        expect(new URL(value as string).protocol).toBe('https:')
      }
      // §4.2: members with zero elements are left out.
      if (Array.isArray(value)) expect(value.length).toBeGreaterThan(0)
    }
  })

  test('oidcc-discovery-endpoint-verification: the keys (OpenID Connect Core §10.1, RFC 7517 §4, RFC 7518 §6)', async () => {
    const metadata = await (await http.get(readPlan(provider).server.discoveryUrl)).json()
    const answer = await http.get(metadata.jwks_uri)
    expect(answer.status()).toBe(200)
    const { keys } = await answer.json()
    const base64url = expect.stringMatching(/^[\w-]+$/)
    // Exactly these members: no private part.
    expect(keys).toEqual([
      { kty: 'RSA', use: 'sig', alg: 'RS256', kid: base64url, n: base64url, e: base64url },
      { kty: 'EC', use: 'sig', alg: 'ES256', kid: base64url, crv: 'P-256', x: base64url, y: base64url },
    ])
    expect(keys[0].kid).not.toBe(keys[1].kid)
    expect(Buffer.from(keys[0].n, 'base64url').length).toBeGreaterThanOrEqual(256)
  })
})
