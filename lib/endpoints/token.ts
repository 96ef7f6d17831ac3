// POST /token (RFC 6749 §3.2): authenticate → grant type → check everything → sign → commit → respond.

import { mayUseGrant } from '../clients/client'
import { OAuthError, unavailable } from '../errors'
import type { Account } from '../grants/approval'
import type { GrantContext, GrantType, Issuance } from '../grants/grant-type'
import type { Endpoint } from '../http/endpoint'
import { only } from '../parameters'
import type { Issuer } from '../tokens/issuer'
import type { ReadClientRequest } from './client-request'

export interface TokenEndpointOptions {
  readonly readClientRequest: ReadClientRequest
  readonly grantTypes: ReadonlyMap<string, GrantType>
  readonly context: GrantContext
  /** @throws {OAuthError} `invalid_grant` when the user may have no tokens. */
  readonly accountFor: (issuance: Issuance, grantType: string) => Promise<Account>
  readonly issuer: Issuer
}

export function tokenEndpoint({
  readClientRequest,
  grantTypes,
  context,
  accountFor,
  issuer,
}: TokenEndpointOptions): Endpoint {
  return {
    name: 'token',
    path: '/token',
    methods: ['POST'],
    cors: true,

    async handle(request) {
      const { client, parameters } = await readClientRequest(request)

      const name = parameters.require('grant_type')
      const grantType = grantTypes.get(name)
      if (!grantType) throw new OAuthError('unsupported_grant_type', 'This grant type is not supported.')
      if (!mayUseGrant(client, name))
        throw new OAuthError('unauthorized_client', 'The client may not use this grant type.')
      const tokenRequest = {
        client,
        headers: request.req.headers,
        parameters: only(grantType.parameters, parameters),
      }

      // Twice, because another request may move the grant between our look at it and our commit. Then what was
      // current is superseded, and the second look tells an overlap or a replay.
      for (let attempt = 1; attempt <= 2; attempt++) {
        const issuance = await grantType.handle(tokenRequest, context)
        const account = await accountFor(issuance, name)
        const body = await issuer.issue(issuance, account)
        if (await issuance.commit()) {
          for (const event of issuance.events) context.emit(event)
          context.emit({
            type: 'tokens.issued',
            grantType: name,
            grant: issuance.key,
            clientId: client.client_id,
            subject: issuance.grant.subject,
            scope: issuance.scope,
            idToken: body.id_token !== undefined,
            refreshToken: body.refresh_token !== undefined,
          })
          return { status: 200, body }
        }
      }
      throw unavailable('lost_race')
    },
  }
}
