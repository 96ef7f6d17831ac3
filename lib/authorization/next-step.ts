// What a request still needs of the user (OpenID Connect Core §3.1.2.1, §3.1.2.3, §3.1.2.4), given who is logged in.
import { OAuthError, type OAuthErrorCode } from '../errors'
import type { AuthorizationRequest } from './authorization-request'

/** Who is logged in at the host. */
export interface Login {
  /** The name that tokens carry as `sub`. */
  readonly subject: string
  /** When the user last proved who they are. */
  readonly authTime: Date
  /** How: the authentication context class (OpenID Connect Core §2). */
  readonly acr?: string | undefined
  /** When the user last chose this account among several. Default: `authTime`. */
  readonly chosenAt?: Date | undefined
}

/**
 * - `login`: nobody is logged in, or not as the client wants it: recently enough, as the expected user.
 * - `select_account`: the client wants the user to choose an account. Where there is one login at a time: a login.
 * - `consent`: the user is to be asked.
 * - `approve`: it may be answered at once.
 */
export type NextStep = 'login' | 'select_account' | 'consent' | 'approve'

/**
 * @param consented Whether the user has allowed this client before all that it asks for now.
 * @throws {OAuthError} What the client has to be told: `prompt=none` forbids the step, or it would not help.
 */
export function nextStep(
  request: AuthorizationRequest,
  login: Login | undefined,
  consented: boolean,
  now: Date,
): NextStep {
  const silent = request.prompt.includes('none')
  const fault = loginFault(request, login, now)
  if (fault && (silent || fault.final)) throw new OAuthError(fault.error, fault.description)
  if (fault || !login) return 'login'

  const chosenAt = login.chosenAt ?? login.authTime
  if (request.prompt.includes('select_account') && !isSince(request.startedAt, chosenAt))
    return 'select_account'

  if (consented && !request.prompt.includes('consent')) return 'approve'
  if (silent) throw new OAuthError('consent_required', 'The user has to be asked.')
  return 'consent'
}

export interface LoginFault {
  readonly error: OAuthErrorCode
  readonly description: string
  /** Whether the user has just logged in for this request, so that asking again would lead nowhere. */
  readonly final: boolean
}

/** Why a request cannot be approved with this login; `undefined` when it can. */
export function loginFault(
  request: Pick<
    AuthorizationRequest,
    'prompt' | 'maxAge' | 'startedAt' | 'expectedSubjects' | 'essentialAcr'
  >,
  login: Login | undefined,
  now: Date,
): LoginFault | undefined {
  const { prompt, maxAge = Number.POSITIVE_INFINITY, startedAt, expectedSubjects, essentialAcr } = request
  if (!login) return { error: 'login_required', description: 'The user has to log in.', final: false }

  // Never asked for twice: that would go in a circle.
  const fresh = isSince(startedAt, login.authTime)
  const recent = now.getTime() - login.authTime.getTime() <= maxAge * 1000
  if (!fresh && (prompt.includes('login') || !recent))
    return { error: 'login_required', description: 'The user has to log in again.', final: false }

  if (expectedSubjects && !expectedSubjects.includes(login.subject))
    return { error: 'login_required', description: 'Another user is logged in.', final: fresh }

  // OpenID Connect Core §5.5.1.1; OpenID Connect Core Error Code unmet_authentication_requirements §2.
  if (essentialAcr && !essentialAcr.includes(login.acr ?? '')) {
    const error = fresh ? 'unmet_authentication_requirements' : 'login_required'
    return { error, description: 'The user did not log in as it was required.', final: fresh }
  }
  return undefined
}

/** Many hosts keep whole seconds only: then a login within the second of the start counts as one after it. */
function isSince(start: Date, time: Date): boolean {
  const precision = time.getTime() % 1000 === 0 ? 1000 : 1
  return time.getTime() >= Math.floor(start.getTime() / precision) * precision
}
