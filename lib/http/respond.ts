// The one place that writes status, headers and body.
import type { ServerResponse } from 'node:http'

/** What an endpoint answers. An object is sent as JSON, a string as HTML. */
export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: object | string | undefined
}

/** The answer to an authorization request, ready to be sent. */
export interface AuthorizationResponse extends Answer {
  /** Where to send the browser, with status 303; `undefined` where the client wants a form posted. */
  readonly redirectTo: string | undefined
  /** Answers the browser. Works with what node:http has. */
  send(res: ServerResponse): void
}

const HTML = 'text/html; charset=utf-8'
const JSON_TEXT = 'application/json; charset=utf-8'

export function respond(res: ServerResponse, { status, headers = {}, body }: Answer): void {
  const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body)
  const length = Buffer.byteLength(text)

  // RFC 6749 §5.1: nothing of ours is kept by a cache, but where an endpoint says so itself.
  if (headers['Cache-Control'] === undefined) {
    res.setHeader('Cache-Control', 'no-store')
    res.setHeader('Pragma', 'no-cache')
  }
  if (body !== undefined) {
    res.setHeader('Content-Type', typeof body === 'string' ? HTML : JSON_TEXT)
    res.setHeader('X-Content-Type-Options', 'nosniff')
  }
  if (status !== 204) res.setHeader('Content-Length', length)
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value)

  res.writeHead(status)
  // Where all is ASCII, these are the same bytes as those of UTF-8, and written faster.
  res.end(text, length === text.length ? 'latin1' : 'utf8')
}
