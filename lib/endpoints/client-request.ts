// What every request of a client begins with: its form, and the proof of who it is.
import type { AuthenticateClient } from '../client-auth/authenticate'
import type { Client } from '../clients/client'
import { OAuthError } from '../errors'
import type { EndpointRequest } from '../http/endpoint'
import { parametersOf, type ReceivedParameters, refuseRepeated } from '../parameters'

export interface ClientRequest {
  readonly client: Client
  readonly parameters: ReceivedParameters
}

/** @throws {OAuthError} `invalid_request`, `invalid_client`, or 429. */
export type ReadClientRequest = (request: EndpointRequest) => Promise<ClientRequest>

const CREDENTIALS = [
  'client_secret',
  'client_assertion',
  'code',
  'code_verifier',
  'refresh_token',
  'token',
  'password',
]

export function createReadClientRequest(authenticate: AuthenticateClient): ReadClientRequest {
  return async ({ query, form, req, identify }) => {
    // RFC 6749 §2.3.1: not in the URI, where logs and histories keep them.
    if (CREDENTIALS.some((name) => query.has(name))) {
      throw new OAuthError('invalid_request', 'Parameters must be sent in the body.', {
        reason: 'credentials_in_query',
      })
    }
    const parameters = parametersOf(form ?? [])
    refuseRepeated(parameters)
    const client = await authenticate({ headers: req.headers, parameters })
    await identify(client.client_id)
    return { client, parameters }
  }
}
