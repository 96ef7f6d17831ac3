// Finds which one method a request uses, and lets that method prove the client (RFC 6749 §2.3).
import { authMethodOf, type Client, type FindClient } from '../clients/client'
import { OAuthError } from '../errors'
import type { OnEvent } from '../events'
import { inTime } from '../host'
import type { ClientAuthMethod, ClientAuthRequest } from './client-auth-method'
import { none } from './none'

/** The client of a request. @throws {OAuthError} `invalid_client`, in the same words whatever the cause. */
export type AuthenticateClient = (request: ClientAuthRequest) => Promise<Client>

export function createAuthenticateClient(
  methods: readonly ClientAuthMethod[],
  findClient: FindClient,
  emit: OnEvent,
): AuthenticateClient {
  const proving = methods.filter((method) => method !== none)
  const acceptsPublic = methods.includes(none)

  return async (request) => {
    const found = proving.flatMap((method) => {
      const credentials = method.find(request)
      return credentials ? [{ method, credentials }] : []
    })
    // RFC 6749 §2.3: a client must not use more than one method in a request.
    if (found.length > 1) {
      throw new OAuthError('invalid_request', 'More than one client authentication method was used.', {
        reason: 'two_auth_methods',
      })
    }
    const publicCredentials = acceptsPublic ? none.find(request) : undefined
    const used = found[0] ?? (publicCredentials && { method: none, credentials: publicCredentials })
    if (!used) throw refused('no_client_credentials')

    const { method, credentials } = used
    const named = request.parameters.get('client_id')
    if (named !== undefined && named !== credentials.clientId) {
      throw new OAuthError('invalid_request', 'The client_id does not match the client that authenticated.', {
        reason: 'two_client_ids',
      })
    }

    const client = await findClient(credentials.clientId)
    // Verified even where it is lost already, so that time does not tell an unknown client from a wrong secret.
    const proved = await inTime('clientAuthMethods', emit, () => method.verify(credentials, client))
    if (!client) throw refused('unknown_client')
    if (authMethodOf(client) !== method.name) throw refused('other_auth_method', client.client_id)
    if (!proved) throw refused('wrong_client_credentials', client.client_id)
    return client
  }
}

/** Events name known clients only: what a stranger sends as an id may be lines of a log, or a secret in the wrong place. */
function refused(reason: string, clientId?: string): OAuthError {
  return new OAuthError('invalid_client', 'Client authentication failed.', { reason, clientId })
}
