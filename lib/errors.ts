// The two errors of the library: one for the wire, one for whoever wrote the options.
import type { AuthorizationResponse } from './http/respond'

/**
 * Codes of RFC 6749 §4.1.2.1 and §5.2, RFC 6750 §3.1, RFC 7009 §2.2.1, RFC 8707 §2, RFC 9101 §7 and OpenID Connect Core
 * §3.1.2.6.
 */
export type OAuthErrorCode =
  | 'invalid_request'
  | 'invalid_client'
  | 'invalid_grant'
  | 'invalid_scope'
  | 'invalid_target'
  | 'invalid_token'
  | 'insufficient_scope'
  | 'unauthorized_client'
  | 'unsupported_grant_type'
  | 'unsupported_response_type'
  | 'unsupported_token_type'
  | 'access_denied'
  | 'interaction_required'
  | 'login_required'
  | 'account_selection_required'
  | 'consent_required'
  | 'unmet_authentication_requirements'
  | 'invalid_request_uri'
  | 'invalid_request_object'
  | 'request_not_supported'
  | 'request_uri_not_supported'
  | 'registration_not_supported'
  | 'server_error'
  | 'temporarily_unavailable'
  // A grant type of the host's own may have codes of its own (RFC 6749 §8.5).
  | (string & {})

const STATUS: Readonly<Record<string, number>> = {
  invalid_client: 401,
  invalid_token: 401,
  insufficient_scope: 403,
  server_error: 500,
  temporarily_unavailable: 503,
}

/** RFC 6749 §5.2 allows these characters in `error_description`. */
const DESCRIPTION = /[^\x20\x21\x23-\x5B\x5D-\x7E]/g

/** What an {@link OAuthError} has beside code and description. */
export interface OAuthErrorDetails {
  /** The HTTP status, where it is not the usual one of the code. */
  readonly status?: number
  /** Seconds after which another try makes sense, for `Retry-After`. */
  readonly retryAfter?: number
  /** A short stable name for the true reason, for events only. */
  readonly reason?: string
  /** `false` where nobody can have guessed: the rate limit does not count it. Default: true. */
  readonly guess?: boolean
  readonly clientId?: string | undefined
  readonly response?: AuthorizationResponse | undefined
  /** What went wrong underneath. Never sent to a client. */
  readonly cause?: unknown
}

/**
 * An answer of the protocol. `code` and `description` are what the client reads; `reason` and `cause` are for the
 * operator and never leave the process by way of an answer.
 *
 * Throw one from a grant type of your own to answer with it.
 *
 * @see RFC 6749 §5.2
 */
export class OAuthError extends Error {
  override readonly name = 'OAuthError'
  readonly code: OAuthErrorCode
  readonly description: string
  readonly status: number
  readonly retryAfter: number | undefined
  readonly reason: string
  /** Whether somebody may be guessing, so that the rate limit counts it. */
  readonly guess: boolean
  /** The client that the request named, where it is known; for events. */
  readonly clientId: string | undefined
  /** The response that tells the client of this error, where a checked redirect URI is known (RFC 6749 §4.1.2.1). */
  readonly response: AuthorizationResponse | undefined

  constructor(code: OAuthErrorCode, description: string, details: OAuthErrorDetails = {}) {
    super(`${code}: ${description}`, 'cause' in details ? { cause: details.cause } : undefined)
    this.code = code
    this.description = description.replace(DESCRIPTION, '')
    this.status = details.status ?? STATUS[code] ?? 400
    this.retryAfter = details.retryAfter
    this.reason = details.reason ?? code
    this.guess = details.guess ?? true
    this.clientId = details.clientId
    this.response = details.response
  }

  /** The members of RFC 6749 §5.2 and no others. */
  toJSON(): { error: OAuthErrorCode; error_description: string } {
    return { error: this.code, error_description: this.description }
  }
}

/**
 * Something of ours is down. A client throws its tokens away on `invalid_grant`, so whatever is not certain is this:
 * 503, safe to retry.
 */
export function unavailable(reason: string, cause?: unknown): OAuthError {
  return new OAuthError('temporarily_unavailable', 'The server cannot answer at the moment; try again.', {
    retryAfter: 1,
    reason,
    cause,
  })
}

/** What was not foreseen is ours, and says nothing of itself to a client. */
export function asOAuthError(thrown: unknown): OAuthError {
  if (thrown instanceof OAuthError) return thrown
  return new OAuthError('server_error', 'The server failed.', { cause: thrown, reason: 'unexpected' })
}

/** A misuse of the library, found when the router is created or first used. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  /** Stable across minor versions. */
  readonly code: string
  /** The path of the option, such as `clients[0].redirect_uris`. */
  readonly option: string

  /** @param remedy A sentence that says what to do instead. */
  constructor(code: string, option: string, fault: string, remedy: string) {
    super(`${option}: ${fault} ${remedy}`)
    this.code = code
    this.option = option
  }
}
