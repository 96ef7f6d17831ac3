// client_secret_post: id and secret in the body (RFC 6749 §2.3.1).
import { verifyClientSecret } from '../clients/client-secret'
import type { ClientAuthMethod } from './client-auth-method'

export const clientSecretPost: ClientAuthMethod = {
  name: 'client_secret_post',

  find({ parameters }) {
    const secret = parameters.get('client_secret')
    if (secret === undefined) return undefined
    return { clientId: parameters.require('client_id'), proof: secret }
  },

  verify: ({ proof }, client) => verifyClientSecret(proof ?? '', client?.client_secret_hash),
}
