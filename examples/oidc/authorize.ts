// The host's part of an authorization. All that OpenID Connect asks of it is in `request.nextStep`.
import type { AuthorizeFunction } from 'express-token-endpoint'
import { hasConsented, rememberConsent } from './consents'
import { consentPage } from './pages/consent'
import { sendPage } from './pages/layout'
import { detour } from './paths'
import { csrfToken, isOwnForm, signedIn } from './sessions'

export const authorize: AuthorizeFunction = (request, req, res) => {
  const login = signedIn(req)
  const step = request.nextStep(login, login && hasConsented(login.subject, request))
  if (!login || step === 'login')
    return res.redirect(303, detour('/login', request.returnTo, request.loginHint))
  if (step === 'select_account') return res.redirect(303, detour('/accounts', request.returnTo))
  if (step === 'consent') {
    const decision = isOwnForm(req, request.form?.get('csrf')) && request.form?.get('decision')
    if (decision === 'deny') return { error: 'access_denied' }
    if (decision !== 'allow') return sendPage(res, consentPage(request, login.user, csrfToken(req)))
    rememberConsent(login.subject, request)
  }
  const { subject, authTime, sid } = login
  return { subject, authTime, sid, acr: '1', amr: ['pwd'] }
}
