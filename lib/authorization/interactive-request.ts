// A request as the host's login and consent see it: what it asks for, what is still missing, and the host's own form.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { refuseForeignForm } from '../http/user-page'
import { parametersOf, type ReceivedParameters } from '../parameters'
import type { AuthorizationRequest } from './authorization-request'
import { type Login, type NextStep, nextStep } from './next-step'
import type { Visits } from './visits'

export interface InteractiveRequest extends AuthorizationRequest {
  /**
   * What a page of the host's posted back to the very URL of this request; `undefined` until then. Check a token of
   * your session in it against forged posts (RFC 6819 §5.3.5).
   */
  readonly form: URLSearchParams | undefined
  /**
   * What is still needed of the user: acts on `prompt`, `max_age`, `id_token_hint` and `claims` (OpenID Connect Core
   * §3.1.2.1).
   *
   * @param consented Whether the user has allowed this client this scope before; `false` unless told.
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
    since: Date,
  ) => Promise<Omit<AuthorizationRequest, 'returnTo' | 'startedAt'>>
  visits: Visits
}): ReadInteractiveRequest {
  const { page, readRequest, visits } = services
  const { pathname } = new URL(page)

  return async ({ query, form, req, res }) => {
    // A form that was posted to a URL which already holds the request is a page of the host's, answered. Never is one
    // request read from both.
    const answered = form !== undefined && query.has('client_id')
    const parameters = form === undefined || answered ? query : form
    const returnTo = `${pathname}?${parameters}`
    const startedAt = visits.since(req, returnTo)
    const read = await readRequest(parametersOf(parameters), startedAt)
    if (answered) refuseForeignForm(req)

    visits.remember(req, res, returnTo, startedAt)
    const request = { ...read, returnTo, startedAt }
    return {
      ...request,
      form: answered ? form : undefined,
      nextStep: (login, consented = false) => nextStep(request, login, consented),
    }
  }
}
