// POST /introspect (RFC 7662): what a token is worth right now, for those whom it concerns.
import { type Client, type FindClient, isPublic } from '../clients/client'
import { OAuthError } from '../errors'
import type { FindToken, FoundToken } from '../grants/find-token'
import { belongsTo, isHonoured } from '../grants/grant'
import type { Endpoint } from '../http/endpoint'
import type { ReadClientRequest } from './client-request'

export interface IntrospectionEndpointOptions {
  readonly issuer: string
  readonly readClientRequest: ReadClientRequest
  readonly findToken: FindToken
  readonly findClient: FindClient
  readonly now: () => number
}

export function introspectionEndpoint({
  issuer,
  readClientRequest,
  findToken,
  findClient,
  now,
}: IntrospectionEndpointOptions): Endpoint {
  return {
    name: 'introspection',
    path: '/introspect',
    methods: ['POST'],
    cors: false,
    guessable: true,

    async handle(request) {
      const { client, parameters } = await readClientRequest(request)
      // RFC 7662 §2.1: some form of authorization is required, and a client_id alone is none.
      if (isPublic(client)) {
        throw new OAuthError('invalid_client', 'Client authentication failed.', {
          reason: 'public_client',
          clientId: client.client_id,
        })
      }
      const found = await findToken(parameters.require('token'))
      const live = found?.kind === 'ended' ? undefined : found
      const told = live && describe(live, client)
      // RFC 7662 §2.2: nothing but `active`, so that the cause stays unknown.
      return { status: 200, body: told && (await isGood(live, client)) ? told : { active: false } }
    },
  }

  /** What was granted to a client that is gone, or before its `notBefore`, is good for nobody. */
  async function isGood({ stored }: FoundToken, caller: Client): Promise<boolean> {
    const owner = belongsTo(stored, caller) ? caller : await findClient(stored.client)
    return owner !== undefined && isHonoured(stored, owner, now())
  }

  function describe(token: FoundToken, caller: Client): object | undefined {
    const mine = belongsTo(token.stored, caller)
    if (token.kind === 'access_token') {
      const { claims } = token
      const forCaller = mine || [claims.aud].flat().includes(caller.client_id)
      return forCaller ? { ...claims, active: true, token_type: 'Bearer' } : undefined
    }
    if (!mine || !token.redeemable) return undefined
    return {
      active: true,
      iss: issuer,
      sub: token.grant.subject,
      client_id: token.stored.client,
      ...(token.grant.scope.length > 0 && { scope: token.grant.scope.join(' ') }),
      exp: Math.floor(now() / 1000 + token.expiresIn),
    }
  }
}
