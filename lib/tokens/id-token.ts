// ID tokens (OpenID Connect Core §2, §3.1.3.6, §12.2).
import { hash } from 'node:crypto'
import type { SigningAlgorithm } from './signer'
import type { SigningKeys } from './signing-keys'
import { verifyJwt } from './verify-jwt'

/** Who authenticated, when and how. */
export interface Authentication {
  readonly subject: string
  /** Milliseconds since the epoch. */
  readonly authTime: number
  readonly sid: string | undefined
  readonly acr: string | undefined
  readonly amr: readonly string[] | undefined
}

/** OpenID Connect Core §12.2: on a refresh the same but `iat`, `exp` and `at_hash`, and without `nonce`. */
export function idTokenClaims(token: {
  issuer: string
  clientId: string
  grant: Authentication
  nonce: string | undefined
  accessToken: string
  alg: SigningAlgorithm
  now: number
  lifetime: number
  hostClaims: Readonly<Record<string, unknown>> | undefined
}): Record<string, unknown> {
  const { grant, nonce } = token
  const { sid, acr, amr } = grant
  return {
    ...token.hostClaims,
    iss: token.issuer,
    sub: grant.subject,
    aud: token.clientId,
    iat: token.now,
    exp: token.now + token.lifetime,
    auth_time: Math.floor(grant.authTime / 1000),
    at_hash: leftHalfHash(token.accessToken, token.alg),
    // Set even where undefined, so that none of them comes from the host's own claims.
    nonce,
    sid,
    acr,
    amr,
  }
}

/** OpenID Connect Core §3.1.3.6: the left half of the hash that the algorithm of the ID token uses. */
function leftHalfHash(text: string, alg: SigningAlgorithm): string {
  // By way of a string: see the MAC in link.ts.
  const whole = hash(`sha${alg.slice(2)}`, text, 'hex')
  return Buffer.from(whole.slice(0, whole.length / 2), 'hex').toString('base64url')
}

/** What an `id_token_hint` says: whom this server once told which client about, in which session of the host's. */
export interface IdTokenHint {
  readonly sub: string
  readonly sid: string | undefined
  /** The client that the ID token was for. */
  readonly aud: string
}

/**
 * Reads an ID token that comes back as a hint; `undefined` when this server did not make it. An expired one is good:
 * it names a user and proves nothing (OpenID Connect Core §3.1.2.1, RP-Initiated Logout §4).
 */
export function verifyIdTokenHint(
  token: string,
  keys: SigningKeys,
  { issuer }: { readonly issuer: string },
): IdTokenHint | undefined {
  const claims = verifyJwt(token, keys, { typ: /^JWT$/i, issuer, now: undefined })
  const { sub, sid, aud } = claims ?? {}
  if (typeof sub !== 'string' || typeof aud !== 'string') return undefined
  return { sub, aud, sid: typeof sid === 'string' ? sid : undefined }
}
