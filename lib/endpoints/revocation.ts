// POST /revoke (RFC 7009): revoking any token ends its grant, and with it every token of the grant (§2.1).
import type { OnEvent } from '../events'
import type { FindToken } from '../grants/find-token'
import { belongsTo } from '../grants/grant'
import type { Endpoint } from '../http/endpoint'
import type { TokenStore } from '../stores/token-store'
import type { ReadClientRequest } from './client-request'

export interface RevocationEndpointOptions {
  readonly readClientRequest: ReadClientRequest
  readonly findToken: FindToken
  readonly store: TokenStore
  readonly emit: OnEvent
}

export function revocationEndpoint({
  readClientRequest,
  findToken,
  store,
  emit,
}: RevocationEndpointOptions): Endpoint {
  return {
    name: 'revocation',
    path: '/revoke',
    methods: ['POST'],
    cors: true,
    guessable: true,

    async handle(request) {
      const { client, parameters } = await readClientRequest(request)
      const found = await findToken(parameters.require('token'))

      // RFC 7009 §2.2: an invalid token is answered like a revoked one, since there is nothing left to do. Another
      // client's token stays, and the answer does not tell that it exists.
      if (found?.kind === 'ended') {
        // The first attempt may have got 503, because a store that waits for its replicas waited in vain.
        await store.revoke(found.key)
      } else if (found && belongsTo(found.stored, client) && (await store.revoke(found.stored.key))) {
        emit({
          type: 'grant.revoked',
          by: 'client',
          subject: found.grant.subject,
          clientId: client.client_id,
          grant: found.stored.key,
          count: 1,
        })
      }
      return { status: 200 }
    },
  }
}
