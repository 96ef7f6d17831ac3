// An authorization request (RFC 6749 §4.1.1, OpenID Connect Core §3.1.2.1): read, checked, typed.
import type { FindClient } from '../clients/client'
import { type Client, isPublic, mayRedirectTo, mayUseGrant } from '../clients/client'
import { asOAuthError, OAuthError } from '../errors'
import { askableClaims, claimsOfScope, type ScopeClaims } from '../grants/claims'
import { CODE_CHALLENGE_METHOD, isCodeChallenge } from '../grants/pkce'
import type { AllowResources } from '../grants/resources'
import { parseScope } from '../grants/scope'
import {
  only,
  REPEATED,
  type ReceivedParameters,
  type RequestParameters,
  refuseRepeated,
} from '../parameters'
import { verifyIdTokenHint } from '../tokens/id-token'
import type { SigningKeys } from '../tokens/signing-keys'
import { type AskedParameters, AUTHORIZATION_PARAMETERS } from './asked-parameters'
import {
  errorParameters,
  RESPONSE_MODES,
  type RespondTo,
  type ResponseMode,
  type ResponseTarget,
} from './authorization-response'
import { parseClaims, type RequestedClaims } from './claims-parameter'
import type { ReadAskedParameters } from './read-asked-parameters'
import type { Visit } from './visits'

/** A request that a client may make. What it asks for is still the user's to grant. */
export interface AuthorizationRequest {
  readonly client: Client
  readonly redirectUri: string
  /** Whether the request named it, so that the token request must as well. */
  readonly redirectUriRequired: boolean
  /** What is asked for, of what the server knows and the client may ask. */
  readonly scope: readonly string[]
  readonly state: string | undefined
  readonly responseMode: ResponseMode
  readonly nonce: string | undefined
  readonly codeChallenge: string | undefined
  /** `none`, `login`, `consent`, `select_account` (OpenID Connect Core §3.1.2.1). `nextStep` acts on it. */
  readonly prompt: readonly string[]
  /** Seconds since the last login that are acceptable. `nextStep` acts on it. */
  readonly maxAge: number | undefined
  /** The users of whom one must be logged in, by `id_token_hint` or `claims`. `nextStep` acts on it. */
  readonly expectedSubjects: readonly string[] | undefined
  /** One of these authentication context classes is a must. `nextStep` acts on it. */
  readonly essentialAcr: readonly string[] | undefined
  /** Those that would be welcome, the best first. */
  readonly acrValues: readonly string[]
  /** What the user may have typed at the client: an e-mail address, a phone number. Anybody can have made it up. */
  readonly loginHint: string | undefined
  /** The languages that the user reads (BCP 47), the best first. */
  readonly uiLocales: readonly string[]
  readonly claimsLocales: readonly string[]
  /** `page`, `popup`, `touch` or `wap`. */
  readonly display: string | undefined
  /** Single claims that are asked for beside those of the scope (OpenID Connect Core §5.5). */
  readonly claims: RequestedClaims | undefined
  /** The APIs that access tokens are to be for (RFC 8707 §2.1), as the host spells them; none: the usual one. */
  readonly resources: readonly string[]
  /**
   * All that the user is asked to allow, each as a string to remember: words of the scope, `claim:` with the name of one
   * that goes beyond the scope, `resource:` with the URL of an API.
   */
  readonly asksFor: readonly string[]
  /** Where it was pushed (RFC 9126): it is answered once. */
  readonly requestUri: string | undefined
  /** Path and query of this request: where a login sends the browser back to, and a consent page its form. */
  readonly returnTo: string
  /** When this browser first came with it. */
  readonly startedAt: Date
}

export interface AuthorizationRules {
  readonly issuer: string
  readonly findClient: FindClient
  readonly allowResources: AllowResources
  readonly scopes: readonly string[]
  readonly scopeClaims: ScopeClaims
  readonly pkce: PkceRule
  readonly keys: SigningKeys
  readonly readAsked: ReadAskedParameters
  readonly requirePushed: boolean
  readonly respondTo: RespondTo
}

/** Who must send a code challenge; see the option `pkce`. */
export type PkceRule = 'always' | 'public' | 'optional'

/**
 * @param visit Of the browser that came with it.
 * @throws {OAuthError} With a `response` for the client once client and redirect URI are known to be right; without it
 * the browser must not be sent anywhere (RFC 6749 §4.1.2.1).
 */
export async function readAuthorizationRequest(
  received: ReceivedParameters,
  visit: Visit,
  rules: AuthorizationRules,
): Promise<Omit<AuthorizationRequest, 'returnTo' | 'startedAt'>> {
  // Whom to tell must be beyond doubt.
  if (received.repeated.has('client_id') || received.repeated.has('redirect_uri')) refuseRepeated(received)
  const clientId = received.require('client_id')
  const client = await rules.findClient(clientId)
  if (!client) throw new OAuthError('invalid_request', 'The client is unknown.', { reason: 'unknown_client' })
  const asked = await rules.readAsked(received, client, visit)
  const target = targetOf(asked.parameters, client)
  try {
    if (asked.requestUri === undefined && mustPush(client, rules))
      throw invalidRequest('The request must be pushed first (RFC 9126).', 'request_not_pushed')
    return { ...target, ...(await readDetails(asked, client, rules)), requestUri: asked.requestUri }
  } catch (thrown) {
    throw await toldTo(target, asOAuthError(thrown), rules.respondTo)
  }
}

/**
 * Checks a request that is pushed as if it had come to the authorization endpoint (RFC 9126 §2.1).
 *
 * @throws {OAuthError} For the client, which is there to be told.
 */
export async function checkPushedRequest(
  asked: AskedParameters,
  client: Client,
  rules: AuthorizationRules,
): Promise<void> {
  // FAPI 2.0 Security Profile §5.3.2.2: the redirect URI is there, though OAuth may leave it out.
  if (mustPush(client, rules)) asked.parameters.require('redirect_uri')
  targetOf(asked.parameters, client)
  await readDetails(asked, client, rules)
}

function targetOf(parameters: RequestParameters, client: Client): ResponseTarget {
  return {
    client,
    redirectUri: redirectUriOf(parameters, client),
    state: parameters.get('state'),
    responseMode: responseModeOf(parameters) ?? 'query',
  }
}

/** RFC 9126 §4, §6. */
function mustPush(client: Client, { requirePushed }: AuthorizationRules): boolean {
  return requirePushed || client.require_pushed_authorization_requests === true
}

/** The same refusal, with the response that tells the client of it. */
export async function toldTo(
  target: ResponseTarget,
  error: OAuthError,
  respondTo: RespondTo,
): Promise<OAuthError> {
  const { code, description, reason, cause } = error
  return new OAuthError(code, description, {
    reason,
    cause,
    clientId: target.client.client_id,
    response: await respondTo(target, errorParameters(error)),
  })
}

/** All that is checked once it is known whom to tell. */
async function readDetails(asked: AskedParameters, client: Client, rules: AuthorizationRules) {
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

/** RFC 9700 §2.1.1 lets a confidential OpenID Connect client rely on `nonce` alone; OpenID Connect Core on neither. */
export function mayDoWithoutPkce(
  { client, scope, nonce }: Pick<AuthorizationRequest, 'client' | 'scope' | 'nonce'>,
  pkce: PkceRule,
): boolean {
  if (pkce === 'always' || isPublic(client)) return false
  return scope.includes('openid') && (nonce !== undefined || pkce === 'optional')
}

function invalidRequest(description: string, reason: string): OAuthError {
  return new OAuthError('invalid_request', description, { reason })
}

function responseModeOf(parameters: RequestParameters): ResponseMode | undefined {
  const asked = parameters.get('response_mode') ?? 'query'
  return RESPONSE_MODES.find((mode) => mode === asked)
}

/** OpenID Connect Core §3.1.2.1: words that are not understood are ignored. If nothing is left, nothing was right. */
function scopeOf(text: string | undefined, client: Client, scopes: readonly string[]): readonly string[] {
  if (text === undefined) return []
  let asked: readonly string[]
  try {
    asked = parseScope(text)
  } catch {
    throw new OAuthError('invalid_scope', 'The scope is malformed.', { reason: 'malformed_scope' })
  }
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
  { allowResources }: AuthorizationRules,
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
  { issuer, keys }: Pick<AuthorizationRules, 'issuer' | 'keys'>,
): readonly string[] | undefined {
  if (hint === undefined) return claims?.subjects
  const hinted = verifyIdTokenHint(hint, keys, { issuer })
  if (hinted?.aud !== client.client_id)
    throw invalidRequest('The ID token hint is not an ID token of this client.', 'bad_id_token_hint')
  return claims?.subjects?.includes(hinted.sub) === false ? [] : [hinted.sub]
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
