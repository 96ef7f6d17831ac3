// An authorization request (RFC 6749 §4.1.1, OpenID Connect Core §3.1.2.1): read, checked, typed.
import type { FindClient } from '../clients/client'
import { type Client, isPublic, mayRedirectTo, mayUseGrant } from '../clients/client'
import { OAuthError, type OAuthErrorCode } from '../errors'
import { CODE_CHALLENGE_METHOD, isCodeChallenge } from '../grants/pkce'
import { parseScope } from '../grants/scope'
import { REPEATED, type ReceivedParameters, type RequestParameters, refuseRepeated } from '../parameters'
import { errorRedirect } from './redirect'

/** A request that a client may make. What it asks for is still the user's to grant. */
export interface AuthorizationRequest {
  readonly client: Client
  readonly redirectUri: string
  /** Whether the request named it, so that the token request must as well. */
  readonly redirectUriRequired: boolean
  /** What is asked for, of what the server knows and the client may ask. */
  readonly scope: readonly string[]
  readonly state: string | undefined
  readonly nonce: string | undefined
  readonly codeChallenge: string | undefined
  /** `none`, `login`, `consent`, `select_account` (OpenID Connect Core §3.1.2.1). */
  readonly prompt: readonly string[]
  /** Seconds since the last login that are acceptable. */
  readonly maxAge: number | undefined
  readonly loginHint: string | undefined
  readonly uiLocales: string | undefined
  readonly acrValues: readonly string[]
}

export interface AuthorizationRules {
  readonly issuer: string
  readonly findClient: FindClient
  readonly scopes: readonly string[]
  /** Who must send a code challenge: everyone, or only public clients. */
  readonly pkce: 'always' | 'public'
}

/**
 * @throws {OAuthError} With `redirectTo` once client and redirect URI are known to be right; without it the browser
 * must not be sent anywhere (RFC 6749 §4.1.2.1).
 */
export async function readAuthorizationRequest(
  parameters: ReceivedParameters,
  { issuer, findClient, scopes, pkce }: AuthorizationRules,
): Promise<AuthorizationRequest> {
  // Whom to tell must be beyond doubt.
  if (parameters.repeated.has('client_id') || parameters.repeated.has('redirect_uri'))
    refuseRepeated(parameters)
  const clientId = parameters.require('client_id')
  const client = await findClient(clientId)
  if (!client) throw new OAuthError('invalid_request', 'The client is unknown.', { reason: 'unknown_client' })
  const redirectUri = redirectUriOf(parameters, client)
  const state = parameters.get('state')

  const refuse: Refuse = (code, description, reason = code) =>
    new OAuthError(code, description, {
      reason,
      clientId,
      redirectTo: errorRedirect({ redirectUri, state }, { code, description }, issuer),
    })

  if (parameters.repeated.size > 0) throw refuse('invalid_request', REPEATED, 'repeated_parameter')
  if (parameters.get('request') !== undefined)
    throw refuse('request_not_supported', 'Request objects are not supported.')
  if (parameters.get('request_uri') !== undefined)
    throw refuse('request_uri_not_supported', 'Request URIs are not supported.')
  const responseType = parameters.get('response_type')
  if (responseType === undefined)
    throw refuse('invalid_request', 'The parameter response_type is missing.', 'missing_parameter')
  if (responseType !== 'code')
    throw refuse('unsupported_response_type', 'Only the response type code is supported.')
  if ((parameters.get('response_mode') ?? 'query') !== 'query') {
    throw refuse('invalid_request', 'Only the response mode query is supported.', 'unsupported_response_mode')
  }
  if (!mayUseGrant(client, 'authorization_code'))
    throw refuse('unauthorized_client', 'The client may not use this grant type.')

  const scope = scopeOf(parameters.get('scope'), client, scopes, refuse)
  const nonce = parameters.get('nonce')
  const codeChallenge = challengeOf(parameters, mayDoWithoutPkce({ client, scope, nonce }, pkce), refuse)
  const maxAge = parameters.get('max_age')
  if (maxAge !== undefined && !/^\d{1,9}$/.test(maxAge))
    throw refuse('invalid_request', 'The parameter max_age is not a number.', 'malformed_max_age')
  const prompt = words(parameters.get('prompt'))
  // OpenID Connect Core §3.1.2.1.
  if (prompt.includes('none') && prompt.length > 1)
    throw refuse('invalid_request', 'The prompt none goes with no other.', 'malformed_prompt')

  return {
    client,
    redirectUri,
    redirectUriRequired: parameters.get('redirect_uri') !== undefined,
    scope,
    state,
    nonce,
    codeChallenge,
    prompt,
    maxAge: maxAge === undefined ? undefined : Number(maxAge),
    loginHint: parameters.get('login_hint'),
    uiLocales: parameters.get('ui_locales'),
    acrValues: words(parameters.get('acr_values')),
  }
}

/** RFC 9700 §2.1.1 lets a confidential OpenID Connect client rely on `nonce` alone. */
export function mayDoWithoutPkce(
  { client, scope, nonce }: Pick<AuthorizationRequest, 'client' | 'scope' | 'nonce'>,
  pkce: AuthorizationRules['pkce'],
): boolean {
  return pkce === 'public' && !isPublic(client) && scope.includes('openid') && nonce !== undefined
}

/** Makes a refusal that the client is told of. */
type Refuse = (code: OAuthErrorCode, description: string, reason?: string) => OAuthError

/** OpenID Connect Core §3.1.2.1: words that are not understood are ignored. If nothing is left, nothing was right. */
function scopeOf(
  text: string | undefined,
  client: Client,
  scopes: readonly string[],
  refuse: Refuse,
): readonly string[] {
  if (text === undefined) return []
  let asked: readonly string[]
  try {
    asked = parseScope(text)
  } catch {
    throw refuse('invalid_scope', 'The scope is malformed.', 'malformed_scope')
  }
  const allowed = client.scope === undefined ? scopes : words(client.scope)
  const known = asked.filter((word) => scopes.includes(word) && allowed.includes(word))
  if (known.length === 0) throw refuse('invalid_scope', 'The client may ask for none of this scope.')
  return known
}

/** RFC 7636 §4.4.1. */
function challengeOf(
  parameters: RequestParameters,
  mayDoWithout: boolean,
  refuse: Refuse,
): string | undefined {
  const challenge = parameters.get('code_challenge')
  const method = parameters.get('code_challenge_method')
  if (challenge === undefined) {
    if (method !== undefined)
      throw refuse('invalid_request', 'The code challenge is missing.', 'missing_code_challenge')
    if (mayDoWithout) return undefined
    throw refuse('invalid_request', 'A code challenge is required.', 'missing_code_challenge')
  }
  // RFC 7636 §4.3: without a method it would be plain.
  if (method !== CODE_CHALLENGE_METHOD) {
    throw refuse('invalid_request', 'The code challenge method must be S256.', 'plain_code_challenge')
  }
  if (!isCodeChallenge(challenge)) {
    throw refuse('invalid_request', 'The code challenge is malformed.', 'malformed_code_challenge')
  }
  return challenge
}

/** RFC 6749 §3.1.2.3: may be left out only where exactly one is registered. */
function redirectUriOf(parameters: RequestParameters, client: Client): string {
  const asked = parameters.get('redirect_uri')
  if (asked === undefined) {
    const [only, ...more] = client.redirect_uris ?? []
    // OpenID Connect Core §3.1.2.1: required in OpenID requests.
    const openid = words(parameters.get('scope')).includes('openid')
    if (only !== undefined && more.length === 0 && !openid) return only
    throw new OAuthError('invalid_request', 'The parameter redirect_uri is missing.', {
      reason: 'missing_redirect_uri',
      clientId: client.client_id,
    })
  }
  if (mayRedirectTo(client, asked)) return asked
  throw new OAuthError('invalid_request', 'The redirect URI is not registered for this client.', {
    reason: 'unknown_redirect_uri',
    clientId: client.client_id,
  })
}

function words(text: string | undefined): readonly string[] {
  return text === undefined ? [] : text.split(' ').filter((word) => word !== '')
}
