// Keys for MACs, from the host's one secret: a key for each purpose, so that nothing made for one serves another.
import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto'

const VERSION = 1

/** HKDF with SHA-256 (RFC 5869). Servers that share a secret still have keys of their own. */
export function deriveKey(secret: Buffer, issuer: string, purpose: string): KeyObject {
  const info = `express-token-endpoint\0${VERSION}\0${issuer}\0${purpose}`
  return createSecretKey(Buffer.from(hkdfSync('sha256', secret, '', info, 32)))
}
