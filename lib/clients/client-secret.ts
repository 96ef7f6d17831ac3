// Client secrets at rest are hashes: whoever reads the client table learns no secret.
import { hash, randomBytes, timingSafeEqual } from 'node:crypto'

const PREFIX = 'sha256:'

/** Stands in for the hash of a client that has none, so that a refusal costs the same whatever its cause. */
const NO_SECRET = Buffer.alloc(32)

/**
 * Makes a client secret of 256 random bits and the hash to keep of it. Show the secret once, store the hash as
 * `client_secret_hash`.
 *
 * @example
 * const { secret, hash } = createClientSecret()
 */
export function createClientSecret(): { secret: string; hash: string } {
  const secret = randomBytes(32).toString('base64url')
  return { secret, hash: hashClientSecret(secret) }
}

/**
 * The hash of an existing client secret, for `client_secret_hash`. One round of SHA-256: right for random secrets of
 * 128 bits and more, which need no slow hash (RFC 6749 §10.10); not for a password that somebody thought up.
 */
export function hashClientSecret(secret: string): string {
  return PREFIX + hash('sha256', secret, 'base64url')
}

/** Whether a string is what {@link hashClientSecret} makes. */
export function isClientSecretHash(text: unknown): text is string {
  return typeof text === 'string' && /^sha256:[A-Za-z0-9_-]{43}$/.test(text)
}

/** Compares in constant time, and against something even where the client has no secret at all. */
export function verifyClientSecret(secret: string, hashes: string | readonly string[] | undefined): boolean {
  // By way of a string: see the MAC in ../tokens/link.ts.
  const presented = Buffer.from(hash('sha256', secret, 'hex'), 'hex')
  const known = hashes === undefined ? [] : typeof hashes === 'string' ? [hashes] : hashes
  let match = false
  for (const kept of known.length > 0 ? known : [undefined]) {
    const expected = isClientSecretHash(kept)
      ? Buffer.from(kept.slice(PREFIX.length), 'base64url')
      : NO_SECRET
    if (timingSafeEqual(presented, expected) && expected !== NO_SECRET) match = true
  }
  return match
}
