// Access tokens: JWTs by the profile of RFC 9068, made and verified here.
import { randomUUID } from 'node:crypto'
import jwt from 'jsonwebtoken'
import { type GrantKey, isGrantKey } from '../stores/token-store'
import type { SigningKeys } from './signing-keys'

/** The claims that the library sets (RFC 9068 §2.2). `grant_id` names the grant by the store's key for it. */
export interface AccessTokenClaims {
  readonly iss: string
  readonly sub: string
  readonly aud: string | readonly string[]
  readonly client_id: string
  readonly iat: number
  readonly exp: number
  readonly jti: string
  readonly scope?: string
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
    ...(token.scope.length > 0 ? { scope: token.scope.join(' ') } : { scope: undefined }),
    grant_id: token.grant,
  } as AccessTokenClaims
}

export interface VerifyAccessToken {
  readonly issuer: string
  /** The audience that must be named in it; not checked where `undefined`: by the server that issued it. */
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
  const header = headerOf(token)
  const key = keys.byId(header?.kid)
  // RFC 7515 §4.1.11: an extension that is not understood makes the token invalid, and we understand none.
  if (!header || !key || header.crit !== undefined || !isAccessTokenType(header.typ)) return undefined
  try {
    const claims = jwt.verify(token, key.publicKey, {
      algorithms: [key.alg],
      issuer: expected.issuer,
      clockTimestamp: expected.now,
      ...(expected.audience !== undefined && { audience: expected.audience }),
    })
    return isAccessTokenClaims(claims) ? claims : undefined
  } catch {
    return undefined
  }
}

/** RFC 9068 §4: `at+jwt`, or the whole media type; names of media types ignore case (RFC 7515 §4.1.9). */
function isAccessTokenType(typ: unknown): boolean {
  return typeof typ === 'string' && /^(?:application\/)?at\+jwt$/i.test(typ)
}

function headerOf(token: string): { kid?: unknown; typ?: unknown; crit?: unknown } | undefined {
  const encoded = /^[A-Za-z0-9_-]+(?=\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$)/.exec(token)?.[0]
  if (encoded === undefined) return undefined
  try {
    const header: unknown = JSON.parse(Buffer.from(encoded, 'base64url').toString())
    return typeof header === 'object' && header !== null ? header : undefined
  } catch {
    return undefined
  }
}

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
