// client_secret_basic: HTTP Basic with form-encoded id and secret (RFC 6749 §2.3.1).
import { verifyClientSecret } from '../clients/client-secret'
import { OAuthError } from '../errors'
import type { ClientAuthMethod } from './client-auth-method'

const BASIC = /^basic +([A-Za-z0-9+/]+={0,2})$/i

export const clientSecretBasic: ClientAuthMethod = {
  name: 'client_secret_basic',

  find({ headers }) {
    const { authorization } = headers
    if (authorization === undefined || !/^basic(?: |$)/i.test(authorization)) return undefined
    const encoded = BASIC.exec(authorization)?.[1]
    const pair = Buffer.from(encoded ?? '', 'base64').toString()
    // At the first colon, and before decoding: an encoded colon belongs to the id, a later one to the secret.
    const colon = pair.indexOf(':')
    const clientId = colon < 0 ? undefined : formDecode(pair.slice(0, colon))
    const secret = colon < 0 ? undefined : formDecode(pair.slice(colon + 1))
    if (!clientId || secret === undefined) {
      throw new OAuthError('invalid_client', 'Client authentication failed.', { reason: 'malformed_basic' })
    }
    return { clientId, proof: secret }
  },

  verify: ({ proof }, client) => verifyClientSecret(proof ?? '', client?.client_secret_hash),
}

/** RFC 6749 App. B; `undefined` for what no encoder makes. */
function formDecode(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}
