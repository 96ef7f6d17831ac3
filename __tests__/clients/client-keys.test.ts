// The public keys of a client record, checked when the router is created or the client is found.
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { type Client, ConfigError, type TokenRouterEvent } from '../../lib'
import { CALLBACK, expectErrorPage, fixture } from '../support/fixture'

const EC = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const RSA = generateKeyPairSync('rsa', { modulusLength: 2048 })

const jwk = (key: KeyObject) => key.export({ format: 'jwk' })
const GOOD = { keys: [jwk(EC.publicKey)] }

const client = (members: object): Client => ({
  client_id: 'jar',
  token_endpoint_auth_method: 'none',
  redirect_uris: [CALLBACK],
  ...members,
})

function faultOf(members: object): unknown {
  try {
    fixture({ clients: [client(members)] })
  } catch (error) {
    if (error instanceof ConfigError)
      return { code: error.code, option: error.option, message: error.message }
    throw error
  }
  return undefined
}

type Row = readonly [what: string, members: object, code: string, option: string]

const FAULTS: readonly Row[] = [
  ...[[], 'https://client.example/jwks', 5, {}, { keys: {} }, { keys: [null] }, { keys: ['x'] }].map(
    (jwks): Row => [`jwks ${JSON.stringify(jwks)} (RFC 7517 §5)`, { jwks }, 'bad_jwks', 'jwks'],
  ),
  ...[
    ['a private EC key', EC.privateKey.export({ format: 'jwk' })],
    ['a private RSA key', RSA.privateKey.export({ format: 'jwk' })],
    ['a secret', { kty: 'oct', k: 'c2VjcmV0LXNlY3JldC1zZWNyZXQ' }],
  ].map(
    ([what, key]): Row => [
      `${what} among its keys (RFC 7591 §2)`,
      { jwks: { keys: [...GOOD.keys, key] } },
      'private_client_key',
      'jwks.keys[1]',
    ],
  ),
  ...[
    ['none', []],
    ['one that Node cannot read', [{ kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA' }]],
    ['RSA of 1024 bits', [jwk(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey)]],
    ['Ed25519', [jwk(generateKeyPairSync('ed25519').publicKey)]],
    ['secp256k1', [jwk(generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey)]],
    ['one for encryption', [{ ...jwk(RSA.publicKey), use: 'enc' }]],
    ['one that may not verify', [{ ...jwk(RSA.publicKey), key_ops: ['encrypt'] }]],
    ['one of an algorithm that it cannot make', [{ ...jwk(EC.publicKey), alg: 'RS256' }]],
  ].map(
    ([what, keys]): Row => [`no key that can be used: ${what}`, { jwks: { keys } }, 'no_client_key', 'jwks'],
  ),
  ...['none', 'HS256', 'RS256', 'EdDSA', '', 5].map(
    (alg): Row => [
      `request_object_signing_alg ${alg} (OIDC Registration §2)`,
      { jwks: GOOD, request_object_signing_alg: alg },
      'wrong_algorithm',
      'request_object_signing_alg',
    ],
  ),
  [
    'request_object_signing_alg without keys',
    { request_object_signing_alg: 'ES256' },
    'wrong_algorithm',
    'request_object_signing_alg',
  ],
  [
    'a duty to sign without keys (RFC 9101 §10.5)',
    { require_signed_request_object: true },
    'missing_jwks',
    'jwks',
  ],
  ...['require_signed_request_object', 'require_pushed_authorization_requests'].flatMap((name) =>
    ['true', 1].map(
      (value): Row => [`${name}: ${JSON.stringify(value)}`, { jwks: GOOD, [name]: value }, 'bad_flag', name],
    ),
  ),
]

test.each(FAULTS)('a client may not have %s', (_what, members, code, option) => {
  expect(faultOf(members)).toEqual({
    code,
    option: `clients[0].${option}`,
    message: expect.stringContaining(`clients[0].${option}: `),
  })
})

test('a fault quotes no key', () => {
  const privateJwk = EC.privateKey.export({ format: 'jwk' })
  const { message } = faultOf({ jwks: { keys: [privateJwk] } }) as Error
  expect(message).not.toContain(privateJwk.d)
})

test.each([
  ['of several kinds', { keys: [jwk(EC.publicKey), jwk(RSA.publicKey)] }],
  [
    'with members of their own',
    { keys: [{ ...jwk(EC.publicKey), use: 'sig', alg: 'ES256', kid: 'a', x5t: 'b' }] },
  ],
  [
    'beside others that are not understood, or for encryption (RFC 7517 §5)',
    {
      keys: [
        { kty: 'future' },
        jwk(generateKeyPairSync('x25519').publicKey),
        { ...jwk(RSA.publicKey), use: 'enc' },
        jwk(EC.publicKey),
      ],
    },
  ],
])('a client may have keys %s', (_what, jwks) => {
  expect(faultOf({ jwks })).toBeUndefined()
})

test('a fault in a record that a function finds is trouble of the host, named by member', async () => {
  const events: TokenRouterEvent[] = []
  const server = fixture({
    clients: () => client({ jwks: { keys: [] } }),
    onEvent: (event) => void events.push(event),
  })
  expectErrorPage(await server.authorize({ client_id: 'jar' }), 503)
  expect(events).toMatchObject([
    { type: 'host.trouble', operation: 'clients', cause: { option: 'clients("jar").jwks' } },
    { type: 'request.refused', reason: 'find_client_failed' },
  ])
})
