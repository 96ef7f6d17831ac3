// POST /par (RFC 9126): a client hands in its authorization request, and the browser takes along no more than its URI.

import type { PushedRequests } from '../authorization/pushed-requests'
import { type AuthorizationRules, checkPushedRequest } from '../authorization/read-authorization-request'
import { OAuthError } from '../errors'
import type { Endpoint } from '../http/endpoint'
import type { ReadClientRequest } from './client-request'

export interface PushedAuthorizationEndpointOptions {
  readonly readClientRequest: ReadClientRequest
  readonly rules: AuthorizationRules
  readonly pushedRequests: PushedRequests
  readonly now: () => number
}

export function pushedAuthorizationEndpoint({
  readClientRequest,
  rules,
  pushedRequests,
  now,
}: PushedAuthorizationEndpointOptions): Endpoint {
  return {
    name: 'pushed_authorization_request',
    path: '/par',
    methods: ['POST'],
    // As for the token endpoint: a single-page app may push as well.
    cors: true,
    guessable: true,

    async handle(request) {
      const { client, parameters } = await readClientRequest(request)
      // RFC 9126 §2.1.
      if (parameters.get('request_uri') !== undefined) {
        throw new OAuthError('invalid_request', 'A request URI cannot be pushed.', {
          reason: 'pushed_request_uri',
        })
      }
      // RFC 9126 §2.1, §3: in a request object it is there.
      if (parameters.get('request') === undefined) parameters.require('client_id')

      const asked = await rules.readAsked(parameters, client, { since: new Date(now()), again: false })
      await checkPushedRequest(asked, client, rules)
      const requestUri = await pushedRequests.push(client, asked)
      return { status: 201, body: { request_uri: requestUri, expires_in: pushedRequests.expiresIn } }
    },
  }
}
