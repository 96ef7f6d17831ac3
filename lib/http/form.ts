// Reads the form that a client posts: from the stream, or from what the host's own body parser made of it.
import type { IncomingMessage } from 'node:http'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { ConfigError, OAuthError } from '../errors'

const LIMIT_BYTES = 64 * 1024
const LIMIT_SECONDS = 10

/**
 * @throws {OAuthError} `invalid_request` when there is no well-formed form, with 413 when it is too long; `server_error`
 * when the host has used it up.
 */
export async function readForm(req: IncomingMessage): Promise<URLSearchParams> {
  // RFC 6749 App. B. With any other type a browser could be made to post across sites without a preflight, or a
  // host's JSON parser would decide what our parameters are.
  const type = req.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase()
  if (type !== 'application/x-www-form-urlencoded') {
    throw malformed('The content type must be application/x-www-form-urlencoded.', 'wrong_content_type')
  }
  // A parser of Express 4 leaves an empty body behind where it did not read: only the stream tells.
  if (req.readableDidRead || req.readableEnded || req.destroyed) {
    const { body } = req as { body?: unknown }
    // A body that was cut off, or had nothing in it, is the client's doing.
    const isCut = req.destroyed && !req.complete
    if (body === undefined && req.readableDidRead && !isCut) throw usedUp()
    return formOf(body)
  }

  // Small forms gain nothing by compression, and what is not unpacked cannot explode.
  const encoding = req.headers['content-encoding']
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw malformed('The body must not be compressed.', 'compressed_body')
  }
  if (Number(req.headers['content-length'] ?? 0) > LIMIT_BYTES) throw tooLarge()
  return new URLSearchParams(await (isHere(req) ? takeText(req) : readText(req)))
}

/** Whether all of the body has come already, as a short one does in one packet with the head, and nobody reads it yet. */
export function isHere(req: IncomingMessage): boolean {
  const { headers, readableFlowing, readableEncoding, readableLength } = req
  return (
    readableFlowing === null &&
    readableEncoding === null &&
    headers['transfer-encoding'] === undefined &&
    readableLength > 0 &&
    readableLength === Number(headers['content-length'])
  )
}

/**
 * Until its end has been heard a request is not complete, to Node and to a host that looks. As a rule it has by the next
 * turn of the event loop. To listen for it costs more in Express than all the rest of the reading.
 */
async function takeText(req: IncomingMessage): Promise<string> {
  const text = String(req.read())
  req.resume()
  await nextTurn()
  if (!req.readableEnded && !req.destroyed) {
    await new Promise<void>((resolve) => req.once('end', resolve).once('close', resolve))
  }
  return text
}

/** Whether a request brings nothing at all, not even an empty form. */
export function isWithoutBody({ headers }: IncomingMessage): boolean {
  const length = headers['content-length'] ?? (headers['transfer-encoding'] === undefined ? '0' : '')
  return headers['content-type'] === undefined && length === '0'
}

function readText(req: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    const timer = setTimeout(
      () => finish(malformed('The body did not arrive in time.', 'slow_body')),
      LIMIT_SECONDS * 1000,
    )

    const onData = (chunk: Buffer | string) => {
      bytes += chunk.length
      if (bytes > LIMIT_BYTES) finish(tooLarge())
      // A string, where the host has set an encoding.
      else chunks.push(typeof chunk === 'string' ? Buffer.from(chunk, req.readableEncoding ?? 'utf8') : chunk)
    }
    const onEnd = () => finish()
    const onCut = () => finish(malformed('The body ended too early.', 'cut_body'))

    function finish(error?: OAuthError) {
      clearTimeout(timer)
      req.off('data', onData).off('end', onEnd).off('error', onCut).off('close', onCut)
      if (!error) return resolve(Buffer.concat(chunks).toString())
      req.pause()
      reject(error)
    }
    req.on('data', onData).on('end', onEnd).on('error', onCut).on('close', onCut)
  })
}

function usedUp(): OAuthError {
  const cause = new ConfigError(
    'used_up_body',
    'req.body',
    'is not there, though something in front of the router has read the body of the request.',
    'Mount the router before it, or let it leave in req.body what it has read.',
  )
  return new OAuthError('server_error', 'The server failed.', { reason: 'used_up_body', cause })
}

/** What a body parser of the host left: an object, or the form as it came. */
function formOf(body: unknown): URLSearchParams {
  if (typeof body === 'string' || Buffer.isBuffer(body)) return new URLSearchParams(body.toString())
  const form = new URLSearchParams()
  for (const [name, value] of Object.entries(body ?? {})) {
    const values: unknown[] = Array.isArray(value) ? value : [value]
    for (const one of values) {
      if (typeof one !== 'string') throw malformed('The body is not a flat form.', 'foreign_body')
      // A parser of nested forms makes a list of one from `name[]=…`, and that is not `name`.
      form.append(Array.isArray(value) && values.length === 1 ? `${name}[]` : name, one)
    }
  }
  return form
}

function malformed(description: string, reason: string): OAuthError {
  return new OAuthError('invalid_request', description, { reason })
}

function tooLarge(): OAuthError {
  return new OAuthError('invalid_request', 'The body is too large.', { status: 413, reason: 'large_body' })
}
