// Access tokens: JWTs by the profile of RFC 9068, made and verified here.
import { randomUUID } from 'node:crypto'
import { type GrantKey, isGrantKey } from '../stores/token-store'
import type { SigningKeys } from './signing-keys'
import { verifyJwt } from './verify-jwt'

/** The claims that the library sets (RFC 9068 §2.2). `grant_id` names the grant by the store's key for it. */
export interface AccessTokenClaims {
  readonly iss: string
  readonly sub: string
  readonly aud: string | readonly string[]
  readonly client_id: string
  readonly iat: number
  readonly exp: number
  readonly jti: string
  readonly scope?: string | undefined
  readonly grant_id: GrantKey
  readonly [claim: string]: unknown
}

/** The `typ` of RFC 9068 §2.1: an ID token is never taken for an access token. */
export const ACCESS_TOKEN_TYPE = 'at+jwt'

export function accessTokenClaims(token: {
  issuer: string
  audience: string | readonly string[]
  subject: string
  clientId: string
  scope: readonly string[]
  grant: GrantKey
  now: number
  lifetime: number
  hostClaims: Readonly<Record<string, unknown>> | undefined
}): AccessTokenClaims {
  return {
    ...token.hostClaims,
    iss: token.issuer,
    sub: token.subject,
    aud: token.audience,
    client_id: token.clientId,
    iat: token.now,
    exp: token.now + token.lifetime,
    jti: randomUUID(),
    // Set even where undefined, so that it never comes from the host's own claims.
    scope: token.scope.length > 0 ? token.scope.join(' ') : undefined,
    grant_id: token.grant,
  }
}

export interface VerifyAccessToken {
  readonly issuer: string
  readonly audience?: string | undefined
  /** Seconds since the epoch. */
  readonly now: number
}

/** The claims of an access token of this server that has not expired; `undefined` for anything else. */
export function verifyAccessToken(
  token: string,
  keys: SigningKeys,
  expected: VerifyAccessToken,
): AccessTokenClaims | undefined {
  const claims = verifyJwt(token, keys, { typ: ACCESS_TOKEN_TYPES, ...expected })
  return isAccessTokenClaims(claims) ? claims : undefined
}

/** RFC 9068 §4: `at+jwt`, or the whole media type; names of media types ignore case (RFC 7515 §4.1.9). */
const ACCESS_TOKEN_TYPES = /^(?:application\/)?at\+jwt$/i

function isAccessTokenClaims(claims: unknown): claims is AccessTokenClaims {
  if (typeof claims !== 'object' || claims === null) return false
  const c = claims as Record<string, unknown>
  return (
    typeof c.sub === 'string' &&
    typeof c.client_id === 'string' &&
    typeof c.exp === 'number' &&
    typeof c.iat === 'number' &&
    (c.scope === undefined || typeof c.scope === 'string') &&
    isGrantKey(c.grant_id)
  )
}
