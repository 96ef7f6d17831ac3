// The host's part of an authorization: is somebody signed in, and do they agree?
import type { AuthorizeFunction } from 'express-token-endpoint'
import { browserLabel } from './browser-label'
import { consentPage } from './pages/consent'
import { sendPage } from './pages/layout'
import { loginPath } from './paths'
import { csrfToken, isOwnForm, signedIn } from './sessions'

/**
 * Called for each valid authorization request. It returns what the user decided, or answers the browser itself and
 * returns nothing; the browser then comes back to the same URL (`request.returnTo`).
 */
export const authorize: AuthorizeFunction = async (request, req, res) => {
  const login = signedIn(req)
  // Consent is asked each time. A host that remembers it looks up whether this user allowed this client `request.asksFor`.
  const step = request.nextStep(login && { subject: login.user.id, authTime: login.at }, false)
  if (!login || step === 'login' || step === 'select_account') {
    res.redirect(303, loginPath(request.returnTo, request.loginHint))
    return
  }

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
    asksFor: request.asksFor,
    otherAccount: loginPath(request.returnTo),
    fault: form && 'That answer did not come from this page, or the page was too old. Please decide again.',
  })
  sendPage(res, { title: 'Allow access', body, narrow: true }, form ? 403 : 200)
}
