// The host's part of an authorization. All that OpenID Connect asks of it is in `request.nextStep`.

import type { Request } from 'express'
import type { AuthorizeFunction, InteractiveRequest } from 'express-token-endpoint'
import { hasConsented, rememberConsent } from './consents'
import { consentPage } from './pages/consent'
import { sendPage } from './pages/layout'
import { detour } from './paths'
import { csrfToken, isOwnForm, type SignedIn, signedInAccounts } from './sessions'

export const authorize: AuthorizeFunction = (request, req, res) => {
  const login = loginFor(request, req)
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

/** The account that the client expects, such as by `id_token_hint`, if it is signed in; but first whom the user chose. */
function loginFor({ expectedSubjects, startedAt }: InteractiveRequest, req: Request): SignedIn | undefined {
  const accounts = signedInAccounts(req)
  const [inUse] = accounts
  if (inUse && inUse.chosenAt >= startedAt) return inUse
  return accounts.find(({ subject }) => expectedSubjects?.includes(subject)) ?? inUse
}
