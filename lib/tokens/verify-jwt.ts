// Verifies the JWTs that this server signed itself. A key of ours fixes the algorithm before anything is parsed.
import jwt from 'jsonwebtoken'
import type { SigningKeys } from './signing-keys'

export interface ExpectedJwt {
  /** Which `typ` it may have: tokens of one kind are never taken for another (RFC 8725 §3.11). */
  readonly typ: RegExp
  readonly issuer: string
  /** The audience that must be named in it; not checked where `undefined`: by the server that issued it. */
  readonly audience?: string | undefined
  /** Seconds since the epoch; `undefined` where an expired one will do. */
  readonly now: number | undefined
}

/** The claims of a JWT of this server; `undefined` for anything else. */
export function verifyJwt(
  token: string,
  keys: SigningKeys,
  { typ, issuer, audience, now }: ExpectedJwt,
): Readonly<Record<string, unknown>> | undefined {
  const header = headerOf(token)
  const key = keys.byId(header?.kid)
  if (!header || !key || typeof header.typ !== 'string' || !typ.test(header.typ)) return undefined
  // RFC 7515 §4.1.11: an extension that is not understood makes the token invalid, and we understand none.
  if (header.crit !== undefined) return undefined
  try {
    const claims = jwt.verify(token, key.publicKey, {
      algorithms: [key.alg],
      issuer,
      ...(now === undefined ? { ignoreExpiration: true } : { clockTimestamp: now }),
      ...(audience !== undefined && { audience }),
    })
    return typeof claims === 'object' && claims !== null ? claims : undefined
  } catch {
    return undefined
  }
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
