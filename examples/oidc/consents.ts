// What each user has allowed each client. Yours is a table; here it lasts as long as the process.
import type { InteractiveRequest } from 'express-token-endpoint'

const consents = new Map<string, Set<string>>()

/** Whether the user has allowed this client all that it asks for now. */
export function hasConsented(subject: string, request: InteractiveRequest): boolean {
  const allowed = consents.get(keyOf(subject, request))
  return allowed !== undefined && itemsOf(request).every((item) => allowed.has(item))
}

export function rememberConsent(subject: string, request: InteractiveRequest): void {
  const key = keyOf(subject, request)
  consents.set(key, new Set([...(consents.get(key) ?? []), ...itemsOf(request)]))
}

function keyOf(subject: string, { client }: InteractiveRequest): string {
  return JSON.stringify([subject, client.client_id])
}

/** Words of the scope, claims that are asked for by name, and the APIs that tokens are to be for. */
function itemsOf({ scope, claims, resources }: InteractiveRequest): readonly string[] {
  return [
    ...scope.map((word) => `scope ${word}`),
    ...(claims?.userinfo ?? []).map((name) => `claim ${name}`),
    ...(claims?.idToken ?? []).map((name) => `claim ${name}`),
    ...resources.map((api) => `resource ${api}`),
  ]
}
