// Finds the endpoint of a request. One look-up in a map: the paths are fixed, and node:http has to do.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { ConfigError } from '../errors'
import { type Endpoint, type EndpointServices, serveEndpoint } from './endpoint'
import { respond } from './respond'

/**
 * Middleware for Express 4 and 5. It uses nothing of `req` and `res` that node:http does not have; without `next`, as
 * under `http.createServer`, what is none of its own is answered with 404.
 */
export type Middleware = (req: IncomingMessage, res: ServerResponse, next?: (error?: unknown) => void) => void

/** Where a host has to mount the endpoints, and how it says so. */
interface Mount {
  readonly path: string
  readonly usage: string
}

/**
 * Middleware that serves these endpoints below a path and passes on what is none of theirs. Express strips the
 * path of the mount and keeps it in `baseUrl`; under node:http alone the whole path arrives.
 */
export function mountEndpoints(
  endpoints: readonly Endpoint[],
  mount: Mount,
  services: EndpointServices,
): Middleware {
  const byPath = new Map(endpoints.map((endpoint) => [endpoint.path, serveEndpoint(endpoint, services)]))

  return (req, res, next = (error) => respond(res, { status: error ? 500 : 404 })) => {
    const path = pathOf(req)
    const { baseUrl } = req as { baseUrl?: string }
    if (baseUrl !== undefined && baseUrl.toLowerCase() !== mount.path.toLowerCase()) {
      return next(wrongMount(baseUrl, mount))
    }
    const below =
      baseUrl !== undefined ? path : path.startsWith(mount.path) ? path.slice(mount.path.length) : ''
    const serve = byPath.get(below.length > 1 && below.endsWith('/') ? below.slice(0, -1) : below)
    if (!serve) return next()
    // Nothing is left to catch: the endpoint answers whatever happens, and this is for a fault in doing so.
    serve(req, res).catch(next)
  }
}

function pathOf({ url = '/' }: IncomingMessage): string {
  // RFC 9112 §3.2.2: a target may be a whole URL.
  const target = url.startsWith('/') ? url : url.replace(/^https?:\/\/[^/?]*/i, '')
  const query = target.indexOf('?')
  return query < 0 ? target : target.slice(0, query)
}

/** Metadata would name endpoints that are not there, so nothing is served at all. */
function wrongMount(found: string, { path, usage }: Mount): ConfigError {
  return new ConfigError(
    'wrong_mount',
    'issuer',
    `the router is mounted at "${found || '/'}", but by the issuer it belongs at "${path || '/'}".`,
    `Mount it with ${usage}, or set mountPath where a proxy strips a part of the path.`,
  )
}
