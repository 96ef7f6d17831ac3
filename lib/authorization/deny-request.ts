// The other end of an authorization: the user, or the host for the user, said no (RFC 6749 §4.1.2.1).
import { OAuthError } from '../errors'
import type { OnEvent } from '../events'
import type { AuthorizationResponse } from '../http/respond'
import type { AuthorizationRequest } from './authorization-request'
import { errorParameters, type RespondTo } from './authorization-response'
import type { PushedRequests } from './pushed-requests'

/** Why there is no code (RFC 6749 §4.1.2.1, OpenID Connect Core §3.1.2.6). */
export interface Denial {
  readonly error:
    | 'access_denied'
    | 'login_required'
    | 'consent_required'
    | 'interaction_required'
    | 'account_selection_required'
    | 'unmet_authentication_requirements'
    | 'invalid_scope'
    | 'temporarily_unavailable'
  readonly description?: string
}

/**
 * The response that tells the client of a denial, or of what `nextStep` threw. It is an answer like any other, and no
 * fault of the client's.
 *
 * @throws {OAuthError} `invalid_request_uri` when a pushed request was answered already; 503 when the store does not
 * answer, or the client wants a signed response and no key can sign.
 */
export type DenyRequest = (
  request: AuthorizationRequest,
  denial: Denial | OAuthError,
) => Promise<AuthorizationResponse>

export function createDenyRequest(services: {
  respondTo: RespondTo
  pushedRequests: PushedRequests
  emit: OnEvent
}): DenyRequest {
  const { respondTo, pushedRequests, emit } = services

  return async (request, denial) => {
    const error = denial instanceof OAuthError ? denial : asError(denial)
    const response = await respondTo(request, errorParameters(error))
    await pushedRequests.spend(request.requestUri)
    emit({ type: 'authorization.denied', clientId: request.client.client_id, error: error.code })
    return response
  }
}

function asError({ error, description = 'The request was denied.' }: Denial): OAuthError {
  return new OAuthError(error, description)
}
