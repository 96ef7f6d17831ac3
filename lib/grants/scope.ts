// Scope (RFC 6749 §3.3): a set of case-sensitive words.
import { OAuthError } from '../errors'

/** Whether a value is one word of a scope. */
export function isScopeWord(word: unknown): word is string {
  return typeof word === 'string' && SCOPE.test(word) && !word.includes(' ')
}

const SCOPE = /^[\x21\x23-\x5B\x5D-\x7E]+(?: [\x21\x23-\x5B\x5D-\x7E]+)*$/

/** @throws {OAuthError} `invalid_scope` when the string is no scope. */
export function parseScope(text: string): string[] {
  if (!SCOPE.test(text))
    throw new OAuthError('invalid_scope', 'The scope is malformed.', { reason: 'malformed_scope' })
  return [...new Set(text.split(' '))]
}

/**
 * RFC 6749 §6: what a refresh asks for must have been granted.
 *
 * @throws {OAuthError} `invalid_scope` when it was not.
 */
export function narrowScope(granted: readonly string[], asked: string | undefined): readonly string[] {
  if (asked === undefined) return granted
  const scope = parseScope(asked)
  if (scope.every((word) => granted.includes(word))) return scope
  throw new OAuthError('invalid_scope', 'The scope exceeds what was granted.', { reason: 'wider_scope' })
}
