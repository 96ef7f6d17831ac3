// What an endpoint is, and the way of every request through it: the one catch is here.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { asOAuthError, OAuthError } from '../errors'
import type { OnEvent } from '../events'
import { allowOrigin, type CorsOption, preflightHeaders } from './cors'
import { isHere, isWithoutBody, readForm } from './form'
import { networkOf, type RateLimits } from './rate-limit'
import { type Answer, respond } from './respond'

/** A request as an endpoint sees it. */
export interface EndpointRequest {
  readonly query: URLSearchParams
  /** The form that was posted; `undefined` where there is none. */
  readonly form: URLSearchParams | undefined
  readonly req: IncomingMessage
  readonly res: ServerResponse
  /**
   * Says which client has proved itself. From here its failures are counted as its own, by address as well: a flood
   * that names a victim's client_id does not lock the victim out. @throws {OAuthError} 429
   */
  identify(clientId: string): Promise<void>
}

export interface Endpoint {
  /** For events. */
  readonly name: string
  /** Below where the router is mounted. */
  readonly path: string
  readonly methods: readonly ('GET' | 'HEAD' | 'POST')[]
  /** Whether scripts of other origins may call it. */
  readonly cors: boolean
  /** Whether its refusals may be guesses at a secret: they count against the address, and the client. */
  readonly guessable: boolean
  /** Whether a POST may come without a form, such as one that has all it needs in its headers. */
  readonly formless?: boolean
  /** Headers of all its answers, set before anything can go wrong. */
  prepare?(res: ServerResponse): void
  /** The answer; `undefined` when the host has answered itself. */
  handle(request: EndpointRequest): Promise<Answer | undefined>
  /** How a refusal looks, where it is not the JSON of RFC 6749 §5.2; `undefined` when the host has answered itself. */
  refuse?(error: OAuthError, req: IncomingMessage, res: ServerResponse): Promise<Answer | undefined>
}

export interface EndpointServices {
  readonly issuer: string
  readonly cors: CorsOption
  readonly limits: RateLimits
  readonly emit: OnEvent
}

export type ServeEndpoint = (req: IncomingMessage, res: ServerResponse) => Promise<void>

export function serveEndpoint(endpoint: Endpoint, services: EndpointServices): ServeEndpoint {
  const { limits, emit } = services
  const allowed = [...endpoint.methods, ...(endpoint.cors ? ['OPTIONS'] : [])].join(', ')

  return async (req, res) => {
    let clientId: string | undefined
    let network = ''
    const identify = (id: string) => {
      clientId = id
      return limits.byClient.check(network, id)
    }
    try {
      network = networkOf(req)
      endpoint.prepare?.(res)
      if (endpoint.cors) allowOrigin(services.cors, req, res)
      if (req.method === 'OPTIONS' && endpoint.cors)
        return respond(res, { status: 204, headers: preflightHeaders(allowed) })
      if (!endpoint.methods.some((method) => method === req.method)) {
        return respond(res, { status: 405, headers: { Allow: allowed }, body: METHOD_NOT_ALLOWED })
      }
      await limits.byAddress.check(network)
      const query = queryOf(req)
      const formless = req.method !== 'POST' || (endpoint.formless === true && isWithoutBody(req))
      // A short form is here by now: it came with the head, and Node has read on while the limit was asked.
      const isLate = !formless && !isHere(req)
      const form = formless ? undefined : await readForm(req)
      // Again, or many connections that hold their forms back would all have been let in.
      if (isLate) await limits.byAddress.check(network)
      const answer = await endpoint.handle({ query, form, req, res, identify })
      if (answer) respond(res, answer)
    } catch (thrown) {
      const error = asOAuthError(thrown)
      if (endpoint.guessable && isFailure(error)) {
        limits.byAddress.countFailure(network)
        if (clientId !== undefined) limits.byClient.countFailure(network, clientId)
      }
      // RFC 9112 §9.6: an unread body would be taken for the next request.
      if (!req.complete && !res.headersSent) res.setHeader('Connection', 'close')
      const answer = endpoint.refuse
        ? await endpoint.refuse(error, req, res)
        : refusal(error, req, services.issuer)
      emit({
        type: 'request.refused',
        endpoint: endpoint.name,
        status: answer?.status ?? res.statusCode,
        error: error.code,
        reason: error.reason,
        clientId: clientId ?? error.clientId,
        cause: error.cause,
      })
      if (!answer) return
      if (res.headersSent) res.destroy()
      else respond(res, answer)
    }
  }
}

/** 429 would only prolong itself. */
function isFailure({ status, guess }: OAuthError): boolean {
  return status < 500 && status !== 429 && guess
}

/** All behind the first question mark: any other belongs to a value (RFC 3986 §3.4). */
export function queryOf({ url = '' }: IncomingMessage): URLSearchParams {
  const start = url.indexOf('?')
  return new URLSearchParams(start < 0 ? '' : url.slice(start + 1))
}

const METHOD_NOT_ALLOWED = new OAuthError('invalid_request', 'This method is not allowed here.').toJSON()

/** RFC 6749 §5.2. */
function refusal(error: OAuthError, req: IncomingMessage, issuer: string): Answer {
  return {
    status: error.status,
    body: error.toJSON(),
    headers: {
      ...(error.retryAfter !== undefined && { 'Retry-After': String(error.retryAfter) }),
      // The scheme that the client tried; Basic is the one we know.
      ...(error.code === 'invalid_client' &&
        req.headers.authorization !== undefined && {
          'WWW-Authenticate': `Basic realm="${issuer}", charset="UTF-8"`,
        }),
    },
  }
}
