// GET and POST /authorize (RFC 6749 §4.1.1): checks the request, asks the host, redirects with its answer.
import type { IncomingMessage } from 'node:http'
import type { Request, Response } from 'express'
import type { AuthorizationRequest } from '../authorization/authorization-request'
import type { Denial, DenyRequest } from '../authorization/deny-request'
import type { IssueCode } from '../authorization/issue-code'
import { errorRedirect } from '../authorization/redirect'
import { asOAuthError, OAuthError, unavailable } from '../errors'
import type { OnEvent } from '../events'
import type { Approval } from '../grants/approval'
import type { Endpoint } from '../http/endpoint'
import type { Answer } from '../http/respond'
import { parametersOf, type ReceivedParameters } from '../parameters'
import { ERROR_PAGE_POLICY, errorPage } from './error-page'

/** What the host's `authorize` function sees. */
export interface InteractiveRequest extends AuthorizationRequest {
  /**
   * What a page of the host's posted back to the very URL of this request; `undefined` until then. Check a token of
   * your session in it against forged posts (RFC 6819 §5.3.5).
   */
  readonly form: URLSearchParams | undefined
}

/**
 * The host's login and consent. Return an approval or a denial; or return nothing when `res` was used to render a
 * page or to redirect to a login that comes back to the URL of this request.
 */
export type AuthorizeFunction = (
  request: InteractiveRequest,
  req: Request,
  res: Response,
  // biome-ignore lint/suspicious/noConfusingVoidType: so that `return res.redirect(…)` can be written, which is void
) => Approval | Denial | undefined | void | Promise<Approval | Denial | undefined | void>

export interface AuthorizationEndpointOptions {
  readonly issuer: string
  readonly readRequest: (parameters: ReceivedParameters) => Promise<AuthorizationRequest>
  readonly authorize: AuthorizeFunction
  readonly issueCode: IssueCode
  readonly deny: DenyRequest
  readonly emit: OnEvent
}

export function authorizationEndpoint({
  issuer,
  readRequest,
  authorize,
  issueCode,
  deny,
  emit,
}: AuthorizationEndpointOptions): Endpoint {
  return {
    name: 'authorization',
    path: '/authorize',
    methods: ['GET', 'POST'],
    // OAuth 2.1 §3.1: a browser goes there, no script does.
    cors: false,

    prepare(res) {
      // RFC 9700 §4.16: no page in front of which a user decides may be framed. A policy beside the host's own holds too.
      res.setHeader('X-Frame-Options', 'DENY')
      res.appendHeader('Content-Security-Policy', "frame-ancestors 'none'")
      res.setHeader('Cache-Control', 'no-store')
      // RFC 9700 §4.2.4. Not `no-referrer`, with which browsers say `Origin: null` of a page's own forms.
      res.setHeader('Referrer-Policy', 'same-origin')
    },

    async handle({ query, form, req, res }) {
      // A form that was posted to a URL which already holds the request is a page of the host's, answered. Never is
      // one request read from both.
      const answered = form !== undefined && query.has('client_id')
      const request = await readRequest(parametersOf(form === undefined || answered ? query : form))
      // OpenID Connect Core §3.1.2.1 lets a request be posted. In the URL it survives a login that comes back.
      if (form !== undefined && !answered) return redirect(`?${form}`)
      if (answered) refuseForeignForm(req)

      try {
        const decision = await askHost({ ...request, form }, req as Request, res as Response)
        if (!decision) return undefined
        return redirect(
          'error' in decision
            ? deny(request, decision).redirectTo
            : (await issueCode(request, decision)).redirectTo,
        )
      } catch (thrown) {
        throw toldToClient(asOAuthError(thrown), request)
      }
    },

    refuse(error) {
      if (error.redirectTo !== undefined) return redirect(error.redirectTo)
      return {
        status: error.status,
        body: errorPage(error),
        headers: {
          'Content-Security-Policy': ERROR_PAGE_POLICY,
          ...(error.retryAfter !== undefined && { 'Retry-After': String(error.retryAfter) }),
        },
      }
    },
  }

  async function askHost(request: InteractiveRequest, req: Request, res: Response) {
    try {
      return await authorize(request, req, res)
    } catch (cause) {
      emit({ type: 'host.trouble', operation: 'authorize', cause })
      throw unavailable('authorize_failed', cause)
    }
  }

  function toldToClient(error: OAuthError, request: AuthorizationRequest): OAuthError {
    const { code, description, reason, cause } = error
    const clientId = request.client.client_id
    return new OAuthError(code, description, {
      reason,
      cause,
      clientId,
      redirectTo: errorRedirect(request, error, issuer),
    })
  }
}

/**
 * A page of another site must not decide in the user's name. The host's own token against forged posts comes first;
 * this holds where a browser tells where a form comes from (Fetch Metadata), as all current ones do.
 */
function refuseForeignForm(req: IncomingMessage): void {
  const site = req.headers['sec-fetch-site']
  if (site === undefined || site === 'same-origin' || site === 'none') return
  throw new OAuthError('invalid_request', 'The form comes from another site.', { reason: 'foreign_form' })
}

/** RFC 9700 §4.12: 303, so that a browser never posts the user's form on to the client. */
function redirect(location: string): Answer {
  return { status: 303, headers: { Location: location } }
}
