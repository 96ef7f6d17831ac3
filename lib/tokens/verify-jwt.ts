// Verifies JWTs: those that this server signed itself, and those of clients. A key that is known here fixes the
// algorithm; nothing that a header brings along is trusted.
import type { KeyObject } from 'node:crypto'
import type jwt from 'jsonwebtoken'
import type { SigningAlgorithm } from './signer'
import type { SigningKeys } from './signing-keys'

/** A key, and the algorithms for which it may be used. */
export interface VerificationKey {
  readonly publicKey: KeyObject
  readonly algorithms: readonly SigningAlgorithm[]
}

/** What of a header is looked at. */
export interface JwtHeader {
  readonly kid?: unknown
  readonly typ?: unknown
  readonly crit?: unknown
}

type Claims = Readonly<Record<string, unknown>>

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
): Claims | undefined {
  return verifySignature(token, {
    typ,
    keysFor: ({ kid }) => {
      const key = keys.byId(kid)
      return key ? [{ publicKey: key.publicKey, algorithms: [key.alg] }] : []
    },
    checks: {
      issuer,
      ...(now === undefined ? { ignoreExpiration: true } : { clockTimestamp: now }),
      ...(audience !== undefined && { audience }),
    },
  })
}

/**
 * The claims of a JWT that one of these keys signed; `undefined` for anything else. Without `checks`, what the claims say
 * is the caller's to look at, times included.
 */
export function verifySignature(
  token: string,
  expected: {
    /** Of a header without `typ` it is asked of an empty string. */
    typ: RegExp
    keysFor: (header: JwtHeader) => readonly VerificationKey[]
    checks?: Pick<jwt.VerifyOptions, 'issuer' | 'audience' | 'ignoreExpiration' | 'clockTimestamp'>
  },
): Claims | undefined {
  const header = headerOf(token)
  if (!header) return undefined
  const { typ = '', crit } = header
  // RFC 7515 §4.1.11: an extension that is not understood makes the token invalid, and we understand none.
  if (typeof typ !== 'string' || !expected.typ.test(typ) || crit !== undefined) return undefined
  const { verify } = jsonwebtoken()
  for (const { publicKey, algorithms } of expected.keysFor(header)) {
    try {
      const claims = verify(token, publicKey, {
        ...(expected.checks ?? { ignoreExpiration: true, ignoreNotBefore: true }),
        algorithms: [...algorithms],
      })
      if (typeof claims === 'object' && claims !== null) return claims
    } catch {
      // Another of the keys may have signed it.
    }
  }
  return undefined
}

/**
 * Loaded at the first use: a process that only issues tokens does without its seventy files. Where they cannot be read, it
 * throws: that is no fault of a token.
 */
function jsonwebtoken(): typeof jwt {
  return require('jsonwebtoken')
}

/** Clocks differ: what a client dates ahead by this much is good, and no more (FAPI 2.0 Security Profile §5.3.2.1). */
const SKEW_SECONDS = 60

/**
 * What is wrong about the times in a client's JWT, as the end of a sentence; `undefined` when nothing is.
 *
 * @param times.at When it came first, where that is remembered: by then it must not have expired.
 */
export function timeFault(
  { exp, nbf, iat }: Claims,
  { at, now }: { readonly at: Date; readonly now: Date },
): string | undefined {
  const times = [exp, nbf, iat].filter((time) => time !== undefined)
  if (!times.every((time) => Number.isFinite(time))) return 'has a time that is no number'
  if (Number(exp ?? Number.POSITIVE_INFINITY) * 1000 <= at.getTime()) return 'has expired'
  const begins = Math.max(...[nbf, iat].map((time) => Number(time ?? 0)))
  return begins - SKEW_SECONDS > now.getTime() / 1000 ? 'is not good yet' : undefined
}

function headerOf(token: string): JwtHeader | undefined {
  const encoded = /^[A-Za-z0-9_-]+(?=\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$)/.exec(token)?.[0]
  if (encoded === undefined) return undefined
  try {
    const header: unknown = JSON.parse(Buffer.from(encoded, 'base64url').toString())
    return typeof header === 'object' && header !== null ? header : undefined
  } catch {
    return undefined
  }
}
