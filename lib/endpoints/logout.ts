// GET and POST /logout (OpenID Connect RP-Initiated Logout): asks the host, ends grants, sends the browser back.
import type { Request, Response } from 'express'
import { redirect } from '../authorization/authorization-response'
import { ConfigError, unavailable } from '../errors'
import type { OnEvent } from '../events'
import type { UserGrants } from '../grants/user-grants'
import type { Endpoint } from '../http/endpoint'
import { page, pagePolicy } from '../http/page'
import { prepareUserPage } from '../http/user-page'
import type { ShowError } from './error-page'
import type { LogoutRequest, ReadLogoutRequest } from './logout-request'

/**
 * The user is logged out here; and which grants end with it: those of this login, by the `sid` of their approvals; all
 * that the user has; or none, so that apps stay signed in.
 */
export type LogoutDecision =
  | { readonly grants: 'session'; readonly subject: string; readonly sid: string }
  | { readonly grants: 'all'; readonly subject: string }
  | { readonly grants: 'keep' }

/**
 * The host's logout. End the login, then return which grants end with it, by who was logged in; or return nothing when
 * `res` was used to render a page that asks, or to send the browser elsewhere.
 */
export type LogoutFunction = (
  request: LogoutRequest,
  req: Request,
  res: Response,
  // biome-ignore lint/suspicious/noConfusingVoidType: so that `return res.render(…)` can be written, which is void
) => LogoutDecision | undefined | void | Promise<LogoutDecision | undefined | void>

export interface LogoutEndpointOptions {
  readonly readRequest: ReadLogoutRequest
  readonly logout: LogoutFunction
  readonly grants: UserGrants
  readonly showError: ShowError
  readonly emit: OnEvent
}

export function logoutEndpoint({
  readRequest,
  logout,
  grants,
  showError,
  emit,
}: LogoutEndpointOptions): Endpoint {
  return {
    name: 'logout',
    path: '/logout',
    // §2: both must be supported.
    methods: ['GET', 'POST'],
    // A browser goes there, no script does.
    cors: false,
    guessable: false,
    formless: true,
    prepare: prepareUserPage,

    async handle(received) {
      const request = await readRequest(received)
      // In the URL a client's request survives the host's page. And cookies come along, which a post from another site
      // does not bring.
      const { req, query, form } = received
      if (req.method === 'POST' && !request.form)
        return { status: 303, headers: { Location: `?${form?.size ? form : query}` } }

      const decision = await askLogout(request, req as Request, received.res as Response)
      if (!decision) return undefined
      await endGrants(decision)

      const { postLogoutRedirectUri: uri, state } = request
      if (uri === undefined) return SIGNED_OUT
      return redirect(uri, state === undefined ? {} : { state })
    },

    refuse: (error, req, res) => showError(error, req as Request, res as Response),
  }

  async function askLogout(request: LogoutRequest, req: Request, res: Response) {
    try {
      return await logout(request, req, res)
    } catch (cause) {
      emit({ type: 'host.trouble', operation: 'logout', cause })
      throw unavailable('logout_failed', cause)
    }
  }

  async function endGrants(decision: LogoutDecision): Promise<void> {
    if (decision.grants === 'session' && decision.subject && decision.sid)
      await grants.revokeAll(decision.subject, { sid: decision.sid })
    else if (decision.grants === 'all' && decision.subject) await grants.revokeAll(decision.subject)
    else if (decision.grants !== 'keep')
      throw new ConfigError(
        'bad_logout',
        'logout',
        'returned neither a decision nor nothing.',
        "Return { grants: 'session', subject, sid }, { grants: 'all', subject } or { grants: 'keep' }.",
      )
  }
}

const SIGNED_OUT = {
  status: 200,
  headers: { 'Content-Security-Policy': pagePolicy() },
  body: page('You are signed out', '<p>You can close this page.</p>'),
}
