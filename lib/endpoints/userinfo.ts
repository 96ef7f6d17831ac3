// GET and POST /userinfo (OpenID Connect Core §5.3): what the host tells of the user, as far as the client may know it.
import type { FindClient } from '../clients/client'
import { OAuthError } from '../errors'
import type { AccountFor } from '../grants/account'
import type { FindToken } from '../grants/find-token'
import { isHonoured } from '../grants/grant'
import type { Endpoint, EndpointRequest } from '../http/endpoint'
import { parametersOf, refuseRepeated } from '../parameters'
import { bearerRefusal, bearerToken, invalidToken } from '../resource-server/bearer'

export interface UserinfoEndpointOptions {
  readonly issuer: string
  /** `aud` of access tokens that name no other API. */
  readonly audience: string
  readonly findToken: FindToken
  readonly findClient: FindClient
  readonly accountFor: AccountFor
  readonly now: () => number
}

export function userinfoEndpoint({
  issuer,
  audience,
  findToken,
  findClient,
  accountFor,
  now,
}: UserinfoEndpointOptions): Endpoint {
  return {
    name: 'userinfo',
    path: '/userinfo',
    methods: ['GET', 'POST'],
    // OpenID Connect Core §5.3: SHOULD support CORS.
    cors: true,
    guessable: false,
    formless: true,

    async handle(request) {
      const found = await findToken(accessTokenOf(request))
      // A token of ours for another API, which got it from a client: not for that API to see who the user is.
      const forUs = (aud: string) => aud === issuer || aud === audience
      if (found?.kind !== 'access_token' || ![found.claims.aud].flat().some(forUs)) throw invalidToken()

      const { grant, stored, claims } = found
      const scope = claims.scope?.split(' ') ?? []
      const client = await findClient(stored.client)
      if (!client) throw invalidToken('unknown_client', stored.client)
      if (!isHonoured(stored, client, now())) throw invalidToken('granted_before_not_before', stored.client)
      if (!scope.includes('openid')) {
        throw new OAuthError('insufficient_scope', 'The access token lacks a scope.', {
          clientId: client.client_id,
        })
      }
      const account = await accountFor({ grant, client, scope }).catch((error: OAuthError) => {
        // At this endpoint it is the token that is no good any more (RFC 6750 §3.1).
        throw error.code === 'invalid_grant' ? invalidToken(error.reason, client.client_id) : error
      })
      // Last: whose claims they are is never the host's to change.
      return { status: 200, body: { ...account.claims, sub: grant.subject } }
    },

    refuse: async (error) => bearerRefusal(error, issuer, ['openid']),
  }
}

/** RFC 6750 §2: in the header or in the form, in one way only; not in the URI, where logs and histories keep it. */
function accessTokenOf({ query, form, req }: EndpointRequest): string {
  const parameters = parametersOf(form ?? [])
  refuseRepeated(parameters)
  const posted = parameters.get('access_token')
  if (query.has('access_token') || (posted !== undefined && req.headers.authorization !== undefined)) {
    throw new OAuthError('invalid_request', 'The access token must be sent in one way, and not in the URI.', {
      reason: 'misplaced_token',
    })
  }
  return posted ?? bearerToken(req.headers.authorization)
}
