// The other end of an authorization: the user, or the host for the user, said no (RFC 6749 §4.1.2.1).
import { OAuthError } from '../errors'
import type { OnEvent } from '../events'
import type { AuthorizationRequest } from './authorization-request'
import { errorRedirect } from './redirect'

/** Why there is no code (RFC 6749 §4.1.2.1, OpenID Connect Core §3.1.2.6). */
export interface Denial {
  readonly error:
    | 'access_denied'
    | 'login_required'
    | 'consent_required'
    | 'interaction_required'
    | 'account_selection_required'
    | 'invalid_scope'
    | 'temporarily_unavailable'
  readonly description?: string
}

/** Where to send the browser with a denial. It is an answer like any other, and no fault of the client's. */
export type DenyRequest = (request: AuthorizationRequest, denial: Denial) => { readonly redirectTo: string }

export function createDenyRequest(issuer: string, emit: OnEvent): DenyRequest {
  return (request, { error, description = 'The request was denied.' }) => {
    emit({ type: 'authorization.denied', clientId: request.client.client_id, error })
    return { redirectTo: errorRedirect(request, new OAuthError(error, description), issuer) }
  }
}
