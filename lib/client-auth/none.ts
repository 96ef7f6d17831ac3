// none: a public client only says who it is (RFC 6749 §3.2.1). PKCE and rotation are what protects it.
import type { ClientAuthMethod } from './client-auth-method'

export const none: ClientAuthMethod = {
  name: 'none',

  find({ headers, parameters }) {
    const clientId = parameters.get('client_id')
    if (clientId === undefined || headers.authorization !== undefined) return undefined
    return { clientId }
  },

  verify: (_credentials, client) => client !== undefined,
}
