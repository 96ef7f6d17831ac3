// What an authorization request asks for, checked (RFC 6749 §4.1.1, RFC 7636 §4.4, OpenID Connect Core §3.1.2.1). By now
// it is known whom to tell of a fault.
import { type Client, mayUseGrant } from '../clients/client'
import { OAuthError } from '../errors'
import { askableClaims, claimsOfScope, type ScopeClaims } from '../grants/claims'
import { CODE_CHALLENGE_METHOD, isCodeChallenge } from '../grants/pkce'
import type { AllowResources } from '../grants/resources'
import { parseScope } from '../grants/scope'
import { only, REPEATED, type RequestParameters, words } from '../parameters'
import { verifyIdTokenHint } from '../tokens/id-token'
import type { SigningKeys } from '../tokens/signing-keys'
import { type AskedParameters, AUTHORIZATION_PARAMETERS } from './asked-parameters'
import { type AuthorizationRequest, mayDoWithoutPkce, type PkceRule } from './authorization-request'
import { responseModeOf } from './authorization-response'
import { parseClaims, type RequestedClaims } from './claims-parameter'

export interface DetailRules {
  readonly issuer: string
  readonly scopes: readonly string[]
  readonly scopeClaims: ScopeClaims
  readonly pkce: PkceRule
  readonly keys: SigningKeys
  readonly allowResources: AllowResources
}

export type AuthorizationDetails = Omit<
  AuthorizationRequest,
  'client' | 'redirectUri' | 'state' | 'responseMode' | 'requestUri' | 'returnTo' | 'startedAt'
>

/** @throws {OAuthError} For the client. */
export async function readDetails(
  asked: AskedParameters,
  client: Client,
  rules: DetailRules,
): Promise<AuthorizationDetails> {
  const { issuer, scopes, scopeClaims, pkce, keys } = rules
  if (asked.fault) throw asked.fault
  if (asked.parameters.repeated.size > 0) throw invalidRequest(REPEATED, 'repeated_parameter')
  const parameters = only(AUTHORIZATION_PARAMETERS, asked.parameters)
  // RFC 9101 §5.
  if (parameters.get('request') !== undefined && parameters.get('request_uri') !== undefined)
    throw invalidRequest('The parameters request and request_uri exclude each other.', 'two_request_objects')
  if (parameters.get('request') !== undefined)
    throw new OAuthError('request_not_supported', 'Request objects are not supported for this client.')
  if (parameters.get('request_uri') !== undefined)
    throw new OAuthError('request_uri_not_supported', 'Only the URI of a pushed request is supported.')
  // RFC 9101 §10.5.
  if (client.require_signed_request_object && !asked.signed)
    throw invalidRequest('The client must sign its request (RFC 9101).', 'request_not_signed')
  const responseType = parameters.get('response_type')
  if (responseType === undefined)
    throw invalidRequest('The parameter response_type is missing.', 'missing_parameter')
  if (responseType !== 'code')
    throw new OAuthError('unsupported_response_type', 'Only the response type code is supported.')
  if (!responseModeOf(parameters))
    throw invalidRequest('The response mode is not supported.', 'unsupported_response_mode')
  if (!mayUseGrant(client, 'authorization_code'))
    throw new OAuthError('unauthorized_client', 'The client may not use this grant type.')

  const scope = scopeOf(parameters.get('scope'), client, scopes)
  const nonce = parameters.get('nonce')
  const codeChallenge = challengeOf(parameters, mayDoWithoutPkce({ client, scope, nonce }, pkce))
  const prompt = words(parameters.get('prompt'))
  // OpenID Connect Core §3.1.2.1.
  if (prompt.includes('none') && prompt.length > 1)
    throw invalidRequest('The prompt none goes with no other.', 'malformed_prompt')
  const wanted = claimsOf(parameters.get('claims'))
  const askable = (names: readonly string[]) => askableClaims(names, client, scopes, scopeClaims)
  const claims = wanted && { ...wanted, userinfo: askable(wanted.userinfo), idToken: askable(wanted.idToken) }
  const resources = await resourcesOf(parameters, client, rules)

  return {
    redirectUriRequired: parameters.get('redirect_uri') !== undefined,
    scope,
    nonce,
    codeChallenge,
    prompt,
    maxAge: maxAgeOf(parameters.get('max_age'), client),
    expectedSubjects: subjectsOf(parameters.get('id_token_hint'), claims, client, { issuer, keys }),
    essentialAcr: claims?.essentialAcr,
    acrValues: words(parameters.get('acr_values')),
    loginHint: parameters.get('login_hint'),
    uiLocales: words(parameters.get('ui_locales')),
    claimsLocales: words(parameters.get('claims_locales')),
    display: parameters.get('display'),
    claims,
    resources,
    asksFor: [
      ...scope,
      ...beyondScope(scope, claims, scopeClaims).map((name) => `claim:${name}`),
      ...resources.map((api) => `resource:${api}`),
    ],
  }
}

function beyondScope(
  scope: readonly string[],
  claims: RequestedClaims | undefined,
  scopeClaims: ScopeClaims,
): string[] {
  const within = claimsOfScope(scope, scopeClaims)
  const names = new Set([...(claims?.userinfo ?? []), ...(claims?.idToken ?? [])])
  return [...names].filter((name) => !within.includes(name))
}

function invalidRequest(description: string, reason: string): OAuthError {
  return new OAuthError('invalid_request', description, { reason })
}

/** OpenID Connect Core §3.1.2.1: words that are not understood are ignored. If nothing is left, nothing was right. */
function scopeOf(text: string | undefined, client: Client, scopes: readonly string[]): readonly string[] {
  if (text === undefined) return []
  const asked = parseScope(text)
  const allowed = client.scope === undefined ? scopes : words(client.scope)
  const known = asked.filter((word) => scopes.includes(word) && allowed.includes(word))
  if (known.length === 0) throw new OAuthError('invalid_scope', 'The client may ask for none of this scope.')
  return known
}

/** RFC 7636 §4.4.1. */
function challengeOf(parameters: RequestParameters, mayDoWithout: boolean): string | undefined {
  const challenge = parameters.get('code_challenge')
  const method = parameters.get('code_challenge_method')
  if (challenge === undefined) {
    if (method !== undefined) throw invalidRequest('The code challenge is missing.', 'missing_code_challenge')
    if (mayDoWithout) return undefined
    throw invalidRequest('A code challenge is required.', 'missing_code_challenge')
  }
  // RFC 7636 §4.3: without a method it would be plain.
  if (method !== CODE_CHALLENGE_METHOD) {
    throw invalidRequest('The code challenge method must be S256.', 'plain_code_challenge')
  }
  if (!isCodeChallenge(challenge)) {
    throw invalidRequest('The code challenge is malformed.', 'malformed_code_challenge')
  }
  return challenge
}

/** A client may be registered with a maximum of its own (OpenID Connect Registration §2). */
function maxAgeOf(text: string | undefined, client: Client): number | undefined {
  if (text === undefined) return client.default_max_age
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw invalidRequest('The parameter max_age is not a number.', 'malformed_max_age')
}

async function resourcesOf(
  parameters: RequestParameters,
  client: Client,
  { allowResources }: DetailRules,
): Promise<readonly string[]> {
  const resources = await allowResources(parameters.getAll('resource'), client)
  if (resources) return resources
  throw new OAuthError('invalid_target', 'The resource is not allowed.')
}

function claimsOf(text: string | undefined): RequestedClaims | undefined {
  const claims = text === undefined ? undefined : parseClaims(text)
  if (text === undefined || claims) return claims
  throw invalidRequest('The parameter claims is malformed.', 'malformed_claims')
}

/** OpenID Connect Core §3.1.2.1: the user of the hint must be logged in, and §5.5.1: the user that `sub` names. */
function subjectsOf(
  hint: string | undefined,
  claims: RequestedClaims | undefined,
  client: Client,
  { issuer, keys }: Pick<DetailRules, 'issuer' | 'keys'>,
): readonly string[] | undefined {
  if (hint === undefined) return claims?.subjects
  const hinted = verifyIdTokenHint(hint, keys, { issuer })
  if (hinted?.aud !== client.client_id)
    throw invalidRequest('The ID token hint is not an ID token of this client.', 'bad_id_token_hint')
  return claims?.subjects?.includes(hinted.sub) === false ? [] : [hinted.sub]
}
