// What each user has allowed each client. Yours is a table; here it lasts as long as the process.
import type { InteractiveRequest } from 'express-token-endpoint'

const consents = new Map<string, Set<string>>()

/**
 * Whether the user has allowed this client all that it asks for now. A public client proves nothing: another app may be
 * asking in its name, so that the user is asked each time (RFC 6749 §10.2, RFC 8252 §8.6).
 */
export function hasConsented(subject: string, request: InteractiveRequest): boolean {
  const allowed = consents.get(keyOf(subject, request))
  const isPublic = request.client.token_endpoint_auth_method === 'none'
  return !isPublic && allowed !== undefined && request.asksFor.every((one) => allowed.has(one))
}

export function rememberConsent(subject: string, request: InteractiveRequest): void {
  const key = keyOf(subject, request)
  consents.set(key, new Set([...(consents.get(key) ?? []), ...request.asksFor]))
}

function keyOf(subject: string, { client }: InteractiveRequest): string {
  return JSON.stringify([subject, client.client_id])
}
