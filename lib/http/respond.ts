// The one place that writes status, headers and body.
import type { ServerResponse } from 'node:http'

/** What an endpoint answers. An object is sent as JSON, a string as HTML. */
export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: object | string | undefined
}

/** RFC 6749 §5.1: nothing of ours is kept by a cache, but where an endpoint says so itself. */
const NO_STORE = { 'Cache-Control': 'no-store', Pragma: 'no-cache' }

export function respond(res: ServerResponse, { status, headers, body }: Answer): void {
  const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body)
  res.writeHead(status, {
    ...(headers?.['Cache-Control'] === undefined && NO_STORE),
    ...(body !== undefined && {
      'Content-Type':
        typeof body === 'string' ? 'text/html; charset=utf-8' : 'application/json; charset=utf-8',
      'X-Content-Type-Options': 'nosniff',
    }),
    ...(status !== 204 && { 'Content-Length': Buffer.byteLength(text) }),
    ...headers,
  })
  res.end(text)
}
