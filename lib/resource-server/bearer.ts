// Bearer tokens in requests, and the answer to a bad one (RFC 6750): for the host's API and for the userinfo endpoint.
import { OAuthError } from '../errors'
import type { Answer } from '../http/respond'

/**
 * The token of an `Authorization` header (RFC 6750 §2.1).
 *
 * @throws {OAuthError} `invalid_token`: with the reason `no_token` for who tries none, or another scheme.
 */
export function bearerToken(authorization = ''): string {
  if (!/^Bearer(?: |$)/i.test(authorization)) {
    throw new OAuthError('invalid_token', 'There is no access token.', { reason: 'no_token' })
  }
  const token = /^Bearer +([A-Za-z0-9\-._~+/]+=*)$/i.exec(authorization)?.[1]
  if (token === undefined) throw invalidToken('malformed_token')
  return token
}

/** One text for every cause. */
export function invalidToken(reason = 'invalid_token', clientId?: string): OAuthError {
  return new OAuthError('invalid_token', 'The access token is not valid.', { reason, clientId })
}

/** RFC 6750 §3. @param needed The scope that would do. */
export function bearerRefusal(error: OAuthError, issuer: string, needed: readonly string[]): Answer {
  // RFC 6750 §3.1: who tries no token learns the scheme and nothing else.
  const tried = error.reason !== 'no_token'
  const challenge = [`Bearer realm="${issuer}"`]
  if (tried) challenge.push(`error="${error.code}"`, `error_description="${error.description}"`)
  if (error.code === 'insufficient_scope') challenge.push(`scope="${needed.join(' ')}"`)
  return {
    status: error.status,
    headers: {
      ...([400, 401, 403].includes(error.status) && { 'WWW-Authenticate': challenge.join(', ') }),
      ...(error.retryAfter !== undefined && { 'Retry-After': String(error.retryAfter) }),
    },
    ...(tried && { body: error.toJSON() }),
  }
}
