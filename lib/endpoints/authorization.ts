// GET and POST /authorize (RFC 6749 §4.1.1): checks the request, asks the host, responds with its answer.
import type { Request, Response } from 'express'
import { type RespondTo, withResponse } from '../authorization/authorization-response'
import type { Denial, DenyRequest } from '../authorization/deny-request'
import type { InteractiveRequest, ReadInteractiveRequest } from '../authorization/interactive-request'
import type { IssueCode } from '../authorization/issue-code'
import { asOAuthError, OAuthError, unavailable } from '../errors'
import type { OnEvent } from '../events'
import type { Approval } from '../grants/approval'
import type { Endpoint } from '../http/endpoint'
import type { Answer } from '../http/respond'
import { prepareUserPage } from '../http/user-page'
import type { ShowError } from './error-page'

/**
 * The host's login and consent. Return an approval or a denial; or return nothing when `res` was used to render a
 * page or to redirect to a login that comes back to `request.returnTo`.
 */
export type AuthorizeFunction = (
  request: InteractiveRequest,
  req: Request,
  res: Response,
  // biome-ignore lint/suspicious/noConfusingVoidType: so that `return res.redirect(…)` can be written, which is void
) => Approval | Denial | undefined | void | Promise<Approval | Denial | undefined | void>

export interface AuthorizationEndpointOptions {
  readonly readRequest: ReadInteractiveRequest
  readonly authorize: AuthorizeFunction
  readonly issueCode: IssueCode
  readonly deny: DenyRequest
  readonly respondTo: RespondTo
  readonly showError: ShowError
  readonly emit: OnEvent
}

function isApproval(decision: Approval | Denial | OAuthError): decision is Approval {
  return !(decision instanceof OAuthError || 'error' in decision)
}

/** Characters. Node.js takes 16 KiB of headers. */
const LONGEST_URL = 12_000

export function authorizationEndpoint({
  readRequest,
  authorize,
  issueCode,
  deny,
  respondTo,
  showError,
  emit,
}: AuthorizationEndpointOptions): Endpoint {
  return {
    name: 'authorization',
    path: '/authorize',
    methods: ['GET', 'POST'],
    // OAuth 2.1 §3.1: a browser goes there, no script does.
    cors: false,
    guessable: false,

    prepare: prepareUserPage,

    async handle(received) {
      const request = await readRequest(received)
      try {
        if (received.form && !request.form) return toItsUrl(request)
        const decision = await askAuthorize(request, received.req as Request, received.res as Response)
        if (!decision) return undefined
        const response = await (isApproval(decision) ? issueCode(request, decision) : deny(request, decision))
        response.send(received.res)
        return undefined
      } catch (thrown) {
        throw await withResponse(asOAuthError(thrown), request, respondTo)
      }
    },

    async refuse(error, req, res) {
      if (!error.response) return showError(error, req as Request, res as Response)
      if (res.headersSent) return error.response
      error.response.send(res)
      return undefined
    },
  }

  /** OpenID Connect Core §3.1.2.1 lets a request be posted. In the URL it survives a login that comes back. */
  function toItsUrl({ returnTo }: InteractiveRequest): Answer {
    if (returnTo.length > LONGEST_URL)
      throw new OAuthError('invalid_request', 'The request is too long.', { reason: 'long_request' })
    return { status: 303, headers: { Location: returnTo } }
  }

  async function askAuthorize(request: InteractiveRequest, req: Request, res: Response) {
    try {
      return await authorize(request, req, res)
    } catch (thrown) {
      // What request.nextStep throws is a denial.
      if (thrown instanceof OAuthError && thrown.status < 500) return thrown
      emit({ type: 'host.trouble', operation: 'authorize', cause: thrown })
      throw unavailable('authorize_failed', thrown)
    }
  }
}
