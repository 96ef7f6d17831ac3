import { createPublicKey, generateKeyPairSync, type JsonWebKey, verify } from 'node:crypto'
import jwt from 'jsonwebtoken'
import request from 'supertest'
import { memoryStore, type Signer, type SigningKeyInput } from '../../lib'
import { ES256, type FixtureOptions, fixture, headerOf } from '../support/fixture'

const RS256 = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey

async function published(options: FixtureOptions = {}): Promise<JsonWebKey[]> {
  const { body } = await fixture(options).get('/oauth/jwks')
  return body.keys
}

/** As whoever has only read the key set does it. */
function verifies(token: string, keys: JsonWebKey[]): boolean {
  const [header, payload, signature] = token.split('.') as [string, string, string]
  const jwk = keys.find(({ kid }) => kid === headerOf(token).kid) as JsonWebKey
  return verify(
    'sha256',
    Buffer.from(`${header}.${payload}`),
    { key: createPublicKey({ key: jwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' },
    Buffer.from(signature, 'base64url'),
  )
}

describe('the key set', () => {
  it('is public, and may be kept for a while (RFC 7517 §5)', async () => {
    const response = await fixture().get('/oauth/jwks').set('Origin', 'https://spa.example')

    expect(response.status).toBe(200)
    expect(response.headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'public, max-age=300',
      'access-control-allow-origin': '*',
      'x-content-type-options': 'nosniff',
    })
    expect(response.body).toEqual({
      keys: [
        {
          kty: 'EC',
          crv: 'P-256',
          x: expect.stringMatching(/^[\w-]{43}$/),
          y: expect.stringMatching(/^[\w-]{43}$/),
          use: 'sig',
          alg: 'ES256',
          kid: expect.stringMatching(/^[\w-]{43}$/),
        },
      ],
    })
  })

  it.each<[string, SigningKeyInput]>([
    ['PEM', ES256.export({ type: 'pkcs8', format: 'pem' }) as string],
    ['JWK', ES256.export({ format: 'jwk' })],
    [
      'JWK with members of its own',
      { ...ES256.export({ format: 'jwk' }), kid: 'mine', oth: 'secret', x5c: ['a'] },
    ],
    ['RSA', RS256],
    ['RSA as JWK', RS256.export({ format: 'jwk' })],
  ])('holds nothing private, whatever the key came as: %s (RFC 7518 §6)', async (_what, key) => {
    for (const jwk of await published({ signingKeys: [key] }))
      expect(['crv', 'e', 'kty', 'n', 'x', 'y', 'use', 'alg', 'kid']).toEqual(
        expect.arrayContaining(Object.keys(jwk)),
      )
  })

  it('holds nothing private of a key in a KMS either', async () => {
    const jwk = ES256.export({ format: 'jwk' })
    const kms: Signer = {
      alg: 'ES256',
      kid: 'kms-1',
      publicJwk: jwk,
      sign: async (typ, claims) =>
        jwt.sign(claims, ES256, { algorithm: 'ES256', header: { alg: 'ES256', typ, kid: 'kms-1' } }),
    }
    const server = fixture({ signingKeys: [kms] })
    const { body } = await server.get('/oauth/jwks')

    const { d: _private, ...open } = jwk
    expect(body.keys).toEqual([{ ...open, use: 'sig', alg: 'ES256', kid: 'kms-1' }])
    expect(verifies((await server.tokens()).access_token, body.keys)).toBe(true)
  })

  it('verifies every token that is issued, by its kid (RFC 9068 §4, OIDC Core §3.1.3.7)', async () => {
    const server = fixture()
    const { body } = await server.get('/oauth/jwks')
    const { access_token, id_token } = await server.tokens()
    expect(verifies(access_token, body.keys)).toBe(true)
    expect(verifies(id_token, body.keys)).toBe(true)
  })

  it('publishes a key before it signs and after, so that no token is ever without its key (OIDC Core §10.1.1)', async () => {
    const store = memoryStore()
    const before = fixture({ store, signingKeys: [ES256, RS256] })
    const after = fixture({ store, signingKeys: [RS256, ES256] })
    const [old, young] = [await before.tokens({ client_id: 'web' }), await after.tokens({ client_id: 'web' })]

    const keys = await published({ signingKeys: [RS256, ES256] })
    expect(keys.map(({ alg }) => alg)).toEqual(['RS256', 'ES256'])
    expect([headerOf(old.access_token).alg, headerOf(young.access_token).alg]).toEqual(['ES256', 'RS256'])
    for (const { access_token } of [old, young]) {
      expect(verifies(access_token, keys)).toBe(true)
      const { body } = await after.post('/introspect', { token: access_token }).auth('web', 'web-secret')
      expect(body.active).toBe(true)
    }
  })

  it('is read by GET and HEAD alone (RFC 9110 §15.5.6)', async () => {
    const { app } = fixture()
    const head = await request(app).head('/oauth/jwks')
    expect({ status: head.status, text: head.text }).toEqual({ status: 200, text: undefined })
    const post = await request(app).post('/oauth/jwks')
    expect(post.status).toBe(405)
    expect(post.headers.allow).toBe('GET, HEAD, OPTIONS')
  })
})
