// GET /jwks (RFC 7517 §5): the public keys, for whoever verifies our tokens.
import type { Endpoint } from '../http/endpoint'
import type { SigningKeys } from '../tokens/signing-keys'

/** Long enough to spare requests, short enough for a key to be published before it signs. */
const CACHE = 'public, max-age=300'

export function jwksEndpoint(keys: SigningKeys): Endpoint {
  const body = { keys: keys.published.map(({ publicJwk }) => publicJwk) }
  return {
    name: 'jwks',
    path: '/jwks',
    methods: ['GET', 'HEAD'],
    cors: true,
    guessable: false,
    handle: async () => ({ status: 200, headers: { 'Cache-Control': CACHE }, body }),
  }
}
