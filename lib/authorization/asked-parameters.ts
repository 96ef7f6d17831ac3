// What a client asks for in an authorization request, whichever way it came.
import type { OAuthError } from '../errors'
import type { ReceivedParameters } from '../parameters'

export interface AskedParameters {
  readonly parameters: ReceivedParameters
  /** Whether they came in an object that the client signed (RFC 9101). */
  readonly signed: boolean
  /** What is wrong with an object that is the client's own: the client may be told. */
  readonly fault?: OAuthError | undefined
  /** Where they were pushed (RFC 9126). */
  readonly requestUri?: string | undefined
}

/** Nothing else is looked at, taken out of a signed object, or kept of a pushed request. */
export const AUTHORIZATION_PARAMETERS = [
  // RFC 6749 §4.1.1
  'response_type',
  'client_id',
  'redirect_uri',
  'scope',
  'state',
  // RFC 7636 §4.3
  'code_challenge',
  'code_challenge_method',
  // OAuth 2.0 Multiple Response Type Encoding Practices §2.1
  'response_mode',
  // OpenID Connect Core §3.1.2.1, §5.2, §5.5
  'nonce',
  'prompt',
  'max_age',
  'id_token_hint',
  'login_hint',
  'ui_locales',
  'claims_locales',
  'acr_values',
  'display',
  'claims',
  // RFC 8707 §2
  'resource',
  // RFC 9101 §5
  'request',
  'request_uri',
] as const
