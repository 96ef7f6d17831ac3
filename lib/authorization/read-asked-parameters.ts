// What counts of an authorization request: the parameters as they came, those of a signed object (RFC 9101), or those
// that were pushed before (RFC 9126). Never a mixture (RFC 9101 §6.3).
import type { Client } from '../clients/client'
import type { ReceivedParameters } from '../parameters'
import type { AskedParameters } from './asked-parameters'
import { isPushed, type PushedRequests } from './pushed-requests'
import { readRequestObject } from './request-object'
import type { Visit } from './visits'

/**
 * @param visit When the browser first came with it, it must not have expired; a login takes time.
 * @throws {OAuthError} `invalid_request_uri`, `invalid_request_object`: nobody vouches for a redirect URI.
 */
export type ReadAskedParameters = (
  received: ReceivedParameters,
  client: Client,
  visit: Visit,
) => Promise<AskedParameters>

export function createReadAskedParameters(services: {
  issuer: string
  pushedRequests: PushedRequests
  now: () => number
}): ReadAskedParameters {
  const { issuer, pushedRequests, now } = services

  return async (received, client, visit) => {
    const request = received.get('request')
    const requestUri = received.get('request_uri')
    // Both, or anything twice, is refused like any other parameter that cannot be.
    const clear = received.repeated.size === 0 && (request === undefined || requestUri === undefined)

    if (clear && requestUri !== undefined && isPushed(requestUri))
      return pushedRequests.find(requestUri, client, visit)
    // RFC 9101 §10.5, OpenID Connect Core §6.1: for clients whose keys are known, and off for all others.
    if (clear && request !== undefined && client.jwks !== undefined)
      return {
        ...readRequestObject(request, client, { issuer, at: visit.since, now: new Date(now()) }),
        signed: true,
      }
    return { parameters: received, signed: false }
  }
}
