// POST /token (RFC 6749 §3.2): authenticate → grant type → check everything → sign → commit → respond.
import { mayUseGrant } from '../clients/client'
import { OAuthError, unavailable } from '../errors'
import type { OnEvent } from '../events'
import type { AccountFor } from '../grants/account'
import type { BoundGrantType } from '../grants/grant-type'
import type { Endpoint } from '../http/endpoint'
import { only } from '../parameters'
import type { IssueTokens } from '../tokens/issue-tokens'
import type { ReadClientRequest } from './client-request'

export interface TokenEndpointOptions {
  readonly readClientRequest: ReadClientRequest
  readonly grantTypes: ReadonlyMap<string, BoundGrantType>
  readonly accountFor: AccountFor
  readonly issueTokens: IssueTokens
  readonly emit: OnEvent
}

export function tokenEndpoint({
  readClientRequest,
  grantTypes,
  accountFor,
  issueTokens,
  emit,
}: TokenEndpointOptions): Endpoint {
  return {
    name: 'token',
    path: '/token',
    methods: ['POST'],
    cors: true,
    guessable: true,

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
      const decide = grantType.begin()
      for (let attempt = 1; attempt <= 2; attempt++) {
        const issuance = await decide(tokenRequest)
        const { claims, accessTokenClaims, idTokenClaims } = await accountFor(issuance, name)
        const body = await issueTokens(issuance, {
          accessTokenClaims,
          idTokenClaims: { ...claims, ...idTokenClaims },
        })
        if (await issuance.commit()) {
          for (const event of issuance.events) emit(event)
          emit({
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
