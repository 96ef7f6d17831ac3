// The public keys that a client is registered with (RFC 7591 §2, `jwks`): by them its signatures are known.
import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { ConfigError } from '../errors'
import { algorithmsOf } from '../tokens/signing-keys'
import type { JwtHeader, VerificationKey } from '../tokens/verify-jwt'
import type { Client, ClientKeySet } from './client'

/**
 * Those keys of the client's that may have made a signature with this header: never a key of the header's own.
 *
 * @param only The algorithm that the client is registered with for this purpose, if it is with one.
 */
export function keysOf(
  { jwks }: Client,
  { kid }: JwtHeader,
  only: string | undefined,
): readonly VerificationKey[] {
  const named = (jwks?.keys ?? []).filter(
    (jwk) => kid === undefined || jwk.kid === undefined || jwk.kid === kid,
  )
  return named.flatMap((jwk) => usableKey(jwk, only) ?? [])
}

/** @throws {ConfigError} */
export function checkKeySet(jwks: unknown, option: string): asserts jwks is ClientKeySet {
  const { keys } = (jwks ?? {}) as { keys?: unknown }
  if (!Array.isArray(keys) || !keys.every((key) => typeof key === 'object' && key !== null)) {
    throw new ConfigError(
      'bad_jwks',
      option,
      'is not a set of keys.',
      'Give { keys: [jwk, …] } (RFC 7517 §5).',
    )
  }
  for (const [i, jwk] of keys.entries()) {
    // `k` is the whole of a symmetric key (RFC 7518 §6.4.1).
    if ('d' in jwk || 'k' in jwk)
      throw new ConfigError(
        'private_client_key',
        `${option}.keys[${i}]`,
        'holds a private or secret key.',
        'Register the public half; make a new key pair if this one was sent around.',
      )
  }
  if (!keys.some((jwk) => usableKey(jwk, undefined)))
    throw new ConfigError(
      'no_client_key',
      option,
      'has no key that can be used here.',
      'Give a public key for signatures: RSA of 2048 bits or more, or EC on P-256, P-384 or P-521.',
    )
}

/** RFC 7517 §5: a key that is not understood, or is for something else, is ignored. */
function usableKey(jwk: JsonWebKey, only: string | undefined): VerificationKey | undefined {
  // RFC 7517 §4.2, §4.3, §4.4.
  const { use = 'sig', key_ops = ['verify'], alg } = jwk
  const publicKey = use === 'sig' && [key_ops].flat().includes('verify') ? publicKeyOf(jwk) : undefined
  if (!publicKey) return undefined
  const algorithms = algorithmsOf(publicKey).filter((one) => (alg ?? one) === one && (only ?? one) === one)
  return algorithms.length > 0 ? { publicKey, algorithms } : undefined
}

function publicKeyOf(jwk: JsonWebKey): KeyObject | undefined {
  try {
    return createPublicKey({ key: jwk, format: 'jwk' })
  } catch {
    return undefined
  }
}
