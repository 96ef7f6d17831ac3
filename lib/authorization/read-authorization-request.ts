// Reads an authorization request: who asks, which parameters count, whom to tell of a fault, and then what is asked for.
import type { Client, FindClient } from '../clients/client'
import { mayRedirectTo } from '../clients/client'
import { asOAuthError, OAuthError } from '../errors'
import { type ReceivedParameters, type RequestParameters, refuseRepeated, words } from '../parameters'
import type { AskedParameters } from './asked-parameters'
import { type DetailRules, readDetails } from './authorization-details'
import type { AuthorizationRequest } from './authorization-request'
import { type RespondTo, type ResponseTarget, responseModeOf, withResponse } from './authorization-response'
import type { ReadAskedParameters } from './read-asked-parameters'
import type { Visit } from './visits'

export interface AuthorizationRules extends DetailRules {
  readonly findClient: FindClient
  readonly readAsked: ReadAskedParameters
  readonly requirePushed: boolean
  readonly respondTo: RespondTo
}

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
      throw new OAuthError('invalid_request', 'The request must be pushed first (RFC 9126).', {
        reason: 'request_not_pushed',
      })
    return { ...target, ...(await readDetails(asked, client, rules)), requestUri: asked.requestUri }
  } catch (thrown) {
    throw await withResponse(asOAuthError(thrown), target, rules.respondTo)
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
