// Proof Key for Code Exchange (RFC 7636), with the method S256 alone (RFC 9700 §2.1.1).
import { hash, timingSafeEqual } from 'node:crypto'

/** The one method that is accepted. `plain` protects nothing that leaks (RFC 7636 §7.2). */
export const CODE_CHALLENGE_METHOD = 'S256'

/** RFC 7636 §4.2: the base64url of a SHA-256 hash. */
const CHALLENGE = /^[A-Za-z0-9_-]{43}$/

/** RFC 7636 §4.1. */
const VERIFIER = /^[A-Za-z0-9\-._~]{43,128}$/

/** Characters of a challenge that a record keeps: 132 bits. To find another verifier that has them is out of reach. */
const KEPT = 22

export function isCodeChallenge(text: string): boolean {
  return CHALLENGE.test(text)
}

/** The part of a challenge that a record keeps. */
export function keptChallenge(challenge: string): string {
  return challenge.slice(0, KEPT)
}

export function isKeptChallenge(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9_-]+$/.test(value) && value.length === KEPT
}

/**
 * Whether the verifier is that of the challenge (RFC 7636 §4.6). With no challenge there must be no verifier: otherwise
 * an attacker strips the challenge and the client never notices (RFC 9700 §4.8.2).
 *
 * @param kept What {@link keptChallenge} kept of the challenge; `null` where none was sent.
 */
export function verifyCodeChallenge(kept: string | null, verifier: string | undefined): boolean {
  if (kept === null) return verifier === undefined
  if (verifier === undefined || !VERIFIER.test(verifier)) return false
  const computed = keptChallenge(hash('sha256', verifier, 'base64url'))
  return timingSafeEqual(Buffer.from(computed), Buffer.from(kept))
}
