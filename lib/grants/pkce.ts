// Proof Key for Code Exchange (RFC 7636), with the method S256 alone (RFC 9700 §2.1.1).
import { createHash, timingSafeEqual } from 'node:crypto'

/** The one method that is accepted. `plain` protects nothing that leaks (RFC 7636 §7.2). */
export const CODE_CHALLENGE_METHOD = 'S256'

/** RFC 7636 §4.2: the base64url of a SHA-256 hash. */
const CHALLENGE = /^[A-Za-z0-9_-]{43}$/

/** RFC 7636 §4.1. */
const VERIFIER = /^[A-Za-z0-9\-._~]{43,128}$/

export function isCodeChallenge(text: string): boolean {
  return CHALLENGE.test(text)
}

/**
 * Whether the verifier is the challenge's (RFC 7636 §4.6). With no challenge there must be no verifier: otherwise an
 * attacker strips the challenge and the client never notices (RFC 9700 §4.8.2).
 */
export function verifyCodeChallenge(challenge: string | null, verifier: string | undefined): boolean {
  if (challenge === null) return verifier === undefined
  if (verifier === undefined || !VERIFIER.test(verifier) || !CHALLENGE.test(challenge)) return false
  const computed = createHash('sha256').update(verifier).digest()
  return timingSafeEqual(computed, Buffer.from(challenge, 'base64url'))
}
