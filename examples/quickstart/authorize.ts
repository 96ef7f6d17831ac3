// The host's part of an authorization: is somebody signed in, and do they agree?
import type { Request } from 'express'
import type { AuthorizeFunction, InteractiveRequest } from 'express-token-endpoint'
import { browserLabel } from './browser-label'
import { consentPage } from './pages/consent'
import { sendPage } from './pages/layout'
import { loginPath } from './paths'
import { csrfToken, isOwnForm, type SignedIn, signedIn } from './sessions'
import { origin } from './settings'

/**
 * Called for each valid authorization request. It returns what the user decided, or answers the browser itself and
 * returns nothing; the browser then comes back to the same URL.
 */
export const authorize: AuthorizeFunction = async (request, req, res) => {
  const silent = request.prompt.includes('none') // the client wants an answer without any page
  const login = signedIn(req)
  if (!login || isTooOld(login, request)) {
    if (silent) return { error: 'login_required' }
    res.redirect(303, loginPath(afterLogin(req), request.loginHint))
    return
  }
  // Consent is asked each time. A host that remembers it looks here: has this user allowed this client this scope?
  if (silent) return { error: 'consent_required' }

  const { form } = request
  const genuine = form !== undefined && isOwnForm(req, form.get('csrf'))
  const decision = genuine ? form.get('decision') : undefined
  if (decision === 'deny') return { error: 'access_denied' }
  if (decision === 'allow') {
    return {
      subject: login.user.id,
      authTime: login.at,
      sid: login.sid,
      label: browserLabel(req.get('user-agent')),
    }
  }

  const body = consentPage({
    csrf: csrfToken(req),
    userName: login.user.name,
    clientName: request.client.client_name ?? request.client.client_id,
    redirectUri: request.redirectUri,
    scope: request.scope,
    otherAccount: loginPath(req.originalUrl),
    fault: form && 'That answer did not come from this page, or the page was too old. Please decide again.',
  })
  sendPage(res, { title: 'Allow access', body, narrow: true }, form ? 403 : 200)
}

/** The client may want a fresh login (OpenID Connect Core §3.1.2.1). */
function isTooOld({ at }: SignedIn, { prompt, maxAge = Infinity }: InteractiveRequest): boolean {
  const asked = prompt.includes('login') || prompt.includes('select_account')
  return asked || Date.now() - at.getTime() > maxAge * 1000
}

/** This request without what asks for a fresh login, which would ask for another one forever. */
function afterLogin(req: Request): string {
  const url = new URL(req.originalUrl, origin)
  url.searchParams.delete('prompt')
  url.searchParams.delete('max_age')
  return url.pathname + url.search
}
