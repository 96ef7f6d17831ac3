// Who signs: a key of this process, or one of the host's that lives in a KMS.
import type { JsonWebKey } from 'node:crypto'

/** JWS algorithms that the library makes and verifies (RFC 7518 §3.1). */
export type SigningAlgorithm =
  | 'RS256'
  | 'RS384'
  | 'RS512'
  | 'PS256'
  | 'PS384'
  | 'PS512'
  | 'ES256'
  | 'ES384'
  | 'ES512'

/**
 * Makes whole JWSs, wherever its private key lives. Pass one of your own in `signingKeys` to sign in a KMS; whatever
 * it rejects with is answered with 503.
 */
export interface Signer {
  readonly alg: SigningAlgorithm
  readonly kid: string
  /** The public half, as it is published at `jwks_uri`. */
  readonly publicJwk: JsonWebKey
  /** The compact JWS of these claims, with `alg`, `kid` and this `typ` in its header (RFC 7515 §3.1). */
  sign(typ: string, claims: Readonly<Record<string, unknown>>): string | Promise<string>
}
