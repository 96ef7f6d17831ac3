import {
  constants,
  createPublicKey,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto'
import { ConfigError, type Signer, type SigningAlgorithm, type SigningKeyInput } from '../../lib'
import { claimsOf, expectUnavailable, type Fixture, fixture, headerOf } from '../support/fixture'

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve })
const [p256, p384, p521] = [ec('P-256'), ec('P-384'), ec('P-521')]

const pem = (key: KeyObject, type: 'pkcs8' | 'sec1' | 'pkcs1' | 'spki' = 'pkcs8') =>
  key.export({ type: type as 'pkcs8', format: 'pem' }).toString()
const jwk = (key: KeyObject): JsonWebKey => key.export({ format: 'jwk' })

async function published({ get }: Fixture): Promise<JsonWebKey[]> {
  return (await get('/oauth/jwks')).body.keys
}

/** By RFC 7518 §3.3 to §3.5, with the published key of this `kid` and nothing of the library. */
async function isGenuine(server: Fixture, token: string): Promise<boolean> {
  const { alg, kid } = headerOf(token) as { alg: string; kid: string }
  const key = (await published(server)).find((one) => one.kid === kid)
  if (key?.alg !== alg) return false
  const [header, payload, signature] = token.split('.') as [string, string, string]
  const bits = Number(alg.slice(2))
  const how = {
    RS: { padding: constants.RSA_PKCS1_PADDING },
    PS: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: bits / 8 },
    ES: { dsaEncoding: 'ieee-p1363' as const },
  }[alg.slice(0, 2) as 'RS' | 'PS' | 'ES']
  return verify(
    `sha${bits}`,
    Buffer.from(`${header}.${payload}`),
    { key: createPublicKey({ key, format: 'jwk' }), ...how },
    Buffer.from(signature, 'base64url'),
  )
}

describe('a signing key', () => {
  it.each<[string, SigningKeyInput, SigningAlgorithm]>([
    ['RSA as PEM (PKCS #8)', pem(rsa.privateKey), 'RS256'],
    ['RSA as PEM (PKCS #1)', pem(rsa.privateKey, 'pkcs1'), 'RS256'],
    ['RSA as JWK', jwk(rsa.privateKey), 'RS256'],
    ['RSA as KeyObject', rsa.privateKey, 'RS256'],
    ['RSA with an algorithm', { key: rsa.privateKey, alg: 'RS384' }, 'RS384'],
    ['RSA with an algorithm', { key: pem(rsa.privateKey), alg: 'RS512' }, 'RS512'],
    ['RSA with an algorithm', { key: jwk(rsa.privateKey), alg: 'PS256' }, 'PS256'],
    ['RSA with an algorithm', { key: rsa.privateKey, alg: 'PS384' }, 'PS384'],
    ['RSA with an algorithm', { key: rsa.privateKey, alg: 'PS512' }, 'PS512'],
    ['RSA as JWK that names its algorithm', { ...jwk(rsa.privateKey), alg: 'PS256' }, 'PS256'],
    ['P-256 as PEM (PKCS #8)', pem(p256.privateKey), 'ES256'],
    ['P-256 as PEM (SEC 1)', pem(p256.privateKey, 'sec1'), 'ES256'],
    ['P-256 as JWK', jwk(p256.privateKey), 'ES256'],
    ['P-384 as KeyObject', p384.privateKey, 'ES384'],
    ['P-521 as PEM', pem(p521.privateKey), 'ES512'],
  ])('%s: %3$s is in the header, and the signature is genuine (RFC 7518 §3)', async (_form, key, alg) => {
    const server = fixture({ signingKeys: [key] })
    const { access_token, id_token } = await server.tokens()
    const [{ kid }] = (await published(server)) as [JsonWebKey]

    expect(headerOf(access_token)).toEqual({ alg, typ: 'at+jwt', kid })
    expect(headerOf(id_token)).toEqual({ alg, typ: 'JWT', kid })
    expect(await isGenuine(server, access_token)).toBe(true)
    expect(await isGenuine(server, id_token)).toBe(true)
  })

  it('is named by its thumbprint, or as its owner says (RFC 7638 §3)', async () => {
    // The example of RFC 7638 §3.1, and the key of RFC 9449 §4.1 with its thumbprint of §6.1.
    const server = fixture({
      signingKeys: [
        { key: p256.privateKey, kid: 'mine' },
        {
          kty: 'RSA',
          n: '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw',
          e: 'AQAB',
        },
        {
          kty: 'EC',
          x: 'l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs',
          y: '9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA',
          crv: 'P-256',
        },
      ],
    })

    expect((await published(server)).map(({ kid }) => kid)).toEqual([
      'mine',
      'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs',
      '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I',
    ])
  })

  it('keeps the kid of its JWK', async () => {
    const server = fixture({ signingKeys: [{ ...jwk(p256.privateKey), kid: 'from the JWK' }] })

    expect(headerOf((await server.tokens()).access_token)).toMatchObject({ kid: 'from the JWK' })
  })
})

describe('several signing keys', () => {
  it('are all published, and the first signs', async () => {
    const server = fixture({ signingKeys: [p256.privateKey, rsa.privateKey, pem(p384.publicKey, 'spki')] })
    const keys = await published(server)

    expect(keys.map(({ alg, use }) => [alg, use])).toEqual([
      ['ES256', 'sig'],
      ['RS256', 'sig'],
      ['ES384', 'sig'],
    ])
    expect(headerOf((await server.tokens()).access_token)).toMatchObject({ alg: 'ES256', kid: keys[0]?.kid })
  })

  it('carry a change of keys: what the old one signed is good as long as it is published', async () => {
    const before = fixture({ signingKeys: [p256.privateKey] })
    const { access_token } = await before.tokens()

    const during = fixture({ signingKeys: [p384.privateKey, p256.publicKey] })
    expect(await isGenuine(during, access_token)).toBe(true)
    expect(headerOf((await during.tokens()).access_token)).toMatchObject({ alg: 'ES384' })
    const after = fixture({ signingKeys: [p384.privateKey] })
    expect(await isGenuine(after, access_token)).toBe(false)
  })

  it.each([
    ['RSA', jwk(rsa.privateKey), ['kty', 'n', 'e', 'use', 'alg', 'kid']],
    [
      'RSA with members of its own',
      { ...jwk(rsa.privateKey), oth: [], x5c: [], k: 'secret', note: 'secret' },
      ['kty', 'n', 'e', 'use', 'alg', 'kid'],
    ],
    ['EC', jwk(p256.privateKey), ['kty', 'crv', 'x', 'y', 'use', 'alg', 'kid']],
    ['a Signer that gave its private JWK', signerOf(p256), ['kty', 'crv', 'x', 'y', 'use', 'alg', 'kid']],
  ])('are published without what is private: %s (RFC 7517 §9.3)', async (_key, key, members) => {
    const [only, ...others] = await published(fixture({ signingKeys: [key as SigningKeyInput] }))

    expect(others).toEqual([])
    expect(Object.keys(only ?? {}).sort()).toEqual(members.sort())
  })
})

/** As a user would write one for a KMS; `publicJwk` carries more than it should. */
function signerOf({ privateKey }: { privateKey: KeyObject }, overrides: Partial<Signer> = {}): Signer {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')
  return {
    alg: 'ES256',
    kid: 'kms-1',
    publicJwk: jwk(privateKey),
    async sign(typ, claims) {
      const input = `${encode({ alg: 'ES256', kid: 'kms-1', typ })}.${encode(claims)}`
      const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' })
      return `${input}.${signature.toString('base64url')}`
    },
    ...overrides,
  }
}

describe("a Signer of the host's own, such as a KMS", () => {
  it('signs access and ID tokens; its public key is published', async () => {
    const server = fixture({ signingKeys: [signerOf(p256)] })
    const { access_token, id_token } = await server.tokens()

    expect(headerOf(access_token)).toEqual({ alg: 'ES256', kid: 'kms-1', typ: 'at+jwt' })
    expect(headerOf(id_token)).toEqual({ alg: 'ES256', kid: 'kms-1', typ: 'JWT' })
    expect(claimsOf(access_token)).toMatchObject({ sub: 'alice' })
    expect(await isGenuine(server, access_token)).toBe(true)
    expect(await isGenuine(server, id_token)).toBe(true)
  })

  it('may be an instance of a class', async () => {
    class Kms implements Signer {
      readonly #key = signerOf(p256)
      get alg() {
        return this.#key.alg
      }
      get kid() {
        return this.#key.kid
      }
      get publicJwk() {
        return this.#key.publicJwk
      }
      sign(...what: Parameters<Signer['sign']>) {
        return this.#key.sign(...what)
      }
    }
    const server = fixture({ signingKeys: [new Kms()] })
    expect(await isGenuine(server, (await server.tokens()).access_token)).toBe(true)
  })

  it.each<[string, Partial<Signer>]>([
    ['an algorithm that the library does not know', { alg: 'EdDSA' as 'ES256' }],
    ['an algorithm that its key cannot make', { alg: 'RS256' }],
    ['an algorithm of another curve', { alg: 'ES384' }],
    ['no kid', { kid: undefined as unknown as string }],
    ['a kid that is no string', { kid: 1 as unknown as string }],
    ['a public key that is none', { publicJwk: { kty: 'EC' } }],
    [
      'an RSA key that is too short',
      { alg: 'RS256', publicJwk: jwk(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey) },
    ],
  ])('is refused at creation with %s', (_what, overrides) => {
    expect(() => fixture({ signingKeys: [signerOf(p256, overrides)] })).toThrow(ConfigError)
  })

  it.each([
    ['nothing', undefined],
    ['an empty string', ''],
    ['an object', { signature: 'a' }],
    ['bytes', Buffer.from('a.b.c')],
  ])('that answers with %s: 503, and no answer without an access token', async (_what, nothing) => {
    const server = fixture({ signingKeys: [signerOf(p256, { sign: async () => nothing as string })] })

    expectUnavailable(await server.exchange(await server.code({ scope: 'offline_access' })))
  })
})

describe('a key that cannot be used is refused at creation, naming the option and the remedy', () => {
  const weak = generateKeyPairSync('rsa', { modulusLength: 1024 })
  const pss = generateKeyPairSync('rsa-pss', { modulusLength: 2048 })

  it.each<[string, readonly unknown[], string, string]>([
    ['a public key first', [p256.publicKey, p384.privateKey], 'no_private_key', 'signingKeys[0]'],
    ['public keys alone', [jwk(rsa.publicKey)], 'no_private_key', 'signingKeys[0]'],
    ['RSA of 1024 bits', [weak.privateKey], 'weak_key', 'signingKeys[0]'],
    ['RSA of 1024 bits, only published', [p256.privateKey, weak.publicKey], 'weak_key', 'signingKeys[1]'],
    ['RSA-PSS, which Node cannot publish as a JWK', [pss.privateKey], 'unsupported_key', 'signingKeys[0]'],
    ['Ed25519', [generateKeyPairSync('ed25519').privateKey], 'unsupported_key', 'signingKeys[0]'],
    ['secp256k1', [ec('secp256k1').privateKey], 'unsupported_key', 'signingKeys[0]'],
    ['a shared secret', [{ kty: 'oct', k: 'AAAA' }], 'unreadable_key', 'signingKeys[0]'],
    ['a string that is no key', ['garbage'], 'unreadable_key', 'signingKeys[0]'],
    ['a broken PEM', [pem(p256.privateKey).replace(/[A-Z]/g, 'x')], 'unreadable_key', 'signingKeys[0]'],
    [
      'an algorithm of another key',
      [{ key: p256.privateKey, alg: 'RS256' }],
      'wrong_algorithm',
      'signingKeys[0].alg',
    ],
    [
      'an algorithm of another curve',
      [{ key: p256.privateKey, alg: 'ES384' }],
      'wrong_algorithm',
      'signingKeys[0].alg',
    ],
    ['HS256', [{ key: p256.privateKey, alg: 'HS256' }], 'wrong_algorithm', 'signingKeys[0].alg'],
    ['none', [{ key: p256.privateKey, alg: 'none' }], 'wrong_algorithm', 'signingKeys[0].alg'],
    ['the same key twice', [p256.privateKey, jwk(p256.publicKey)], 'duplicate_kid', 'signingKeys'],
    [
      'the same kid twice',
      [
        { key: p256.privateKey, kid: 'a' },
        { key: p384.privateKey, kid: 'a' },
      ],
      'duplicate_kid',
      'signingKeys',
    ],
  ])('%s', (_what, signingKeys, code, option) => {
    let thrown: unknown
    try {
      fixture({ signingKeys: signingKeys as SigningKeyInput[] })
    } catch (error) {
      thrown = error
    }
    expect(thrown).toBeInstanceOf(ConfigError)
    expect(thrown).toMatchObject({ code, option, message: expect.stringContaining(`${option}: `) })
  })

  it('without a word of the key in the error', () => {
    const secret = pem(p256.privateKey).split('\n')[1] as string
    let thrown: unknown
    try {
      fixture({ signingKeys: [`-----BEGIN PRIVATE KEY-----\n${secret}\n-----END PRIVATE KEY-----`] })
    } catch (error) {
      thrown = error
    }
    expect(thrown).toBeInstanceOf(ConfigError)
    expect(JSON.stringify(thrown, Object.getOwnPropertyNames(thrown))).not.toContain(secret)
  })
})
