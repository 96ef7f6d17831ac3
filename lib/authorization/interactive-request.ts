// A request as the host's login and consent see it: what it asks for, what is still missing, and the host's own form.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { refuseForeignForm } from '../http/user-page'
import { parametersOf, type ReceivedParameters } from '../parameters'
import type { AuthorizationRequest } from './authorization-request'
import { type Login, type NextStep, nextStep } from './next-step'
import type { Visit, Visits } from './visits'

export interface InteractiveRequest extends AuthorizationRequest {
  /**
   * What a page of the host's posted back to the very URL of this request; `undefined` until then. Check a token of
   * the login in it against forged posts (RFC 6819 §5.3.5).
   */
  readonly form: URLSearchParams | undefined
  /**
   * What is still needed of the user: acts on `prompt`, `max_age`, `id_token_hint` and `claims` (OpenID Connect Core
   * §3.1.2.1).
   *
   * @param consented Whether the user has allowed this client before all that it asks for now (`asksFor`). Default:
   * `false`.
   * @throws {OAuthError} What the client has to be told instead, such as `login_required`. Let it pass.
   */
  nextStep(login: Login | undefined, consented?: boolean): NextStep
}

export type ReadInteractiveRequest = (received: {
  readonly query: URLSearchParams
  readonly form: URLSearchParams | undefined
  readonly req: IncomingMessage
  readonly res: ServerResponse
}) => Promise<InteractiveRequest>

export function createReadInteractiveRequest(services: {
  /** The URL of the page that answers authorization requests. */
  page: string
  readRequest: (
    parameters: ReceivedParameters,
    visit: Visit,
  ) => Promise<Omit<AuthorizationRequest, 'returnTo' | 'startedAt'>>
  visits: Visits
  now: () => number
}): ReadInteractiveRequest {
  const { page, readRequest, visits, now } = services
  const { pathname, searchParams } = new URL(page)

  return async ({ query, form, req, res }) => {
    // A form that was posted to a URL which already holds the request is a page of the host's, answered. Never is one
    // request read from both.
    const answered = form !== undefined && query.has('client_id')
    // RFC 6749 §3.1: a query of the page's own is kept.
    const parameters =
      form === undefined || answered ? query : new URLSearchParams([...searchParams, ...form])
    const returnTo = `${pathname}?${parameters}`
    const visit = visits.find(req, returnTo)
    const read = await readRequest(parametersOf(parameters), visit)
    if (answered) refuseForeignForm(req)

    // A post of another site comes without cookies, and would put this visit in the place of all others. The browser
    // is sent to `returnTo`, and comes with them.
    if (form === undefined || answered) visits.remember(req, res, returnTo, visit)
    const request = { ...read, returnTo, startedAt: visit.since }
    return {
      ...request,
      form: answered ? form : undefined,
      nextStep: (login, consented = false) => nextStep(request, login, consented, new Date(now())),
    }
  }
}
