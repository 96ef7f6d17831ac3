// Cross-origin access for browser-based clients (OAuth 2.1 §3): never with credentials, so no cookie is ever read.
import type { IncomingMessage, ServerResponse } from 'node:http'

/** `true`: any origin. Or the origins that are let in. `false`: none. */
export type CorsOption = boolean | readonly string[]

/** Sets the headers that a script's browser asks for, on errors as on successes. */
export function allowOrigin(cors: CorsOption, req: IncomingMessage, res: ServerResponse): void {
  if (cors === false) return
  const { origin } = req.headers
  // The answer depends on who asks, so a cache must ask again for another origin.
  if (cors !== true) res.appendHeader('Vary', 'Origin')
  // With `*`, the header is always sent: a cache may reuse the answer for a script.
  const allowed = cors === true ? '*' : origin !== undefined && cors.includes(origin) ? origin : undefined
  if (allowed === undefined) return
  res.setHeader('Access-Control-Allow-Origin', allowed)
  res.setHeader('Access-Control-Expose-Headers', 'WWW-Authenticate, DPoP-Nonce, Retry-After')
}

/** The answer to a preflight. A day of memory spares browsers a request before each request. */
export function preflightHeaders(methods: string): Record<string, string> {
  return {
    'Access-Control-Allow-Methods': methods,
    'Access-Control-Allow-Headers': 'Authorization, Content-Type, DPoP',
    'Access-Control-Max-Age': '86400',
  }
}
