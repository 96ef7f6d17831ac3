// The host's part of a logout that a client asks for.
import type { LogoutFunction } from 'express-token-endpoint'
import { sendPage } from './pages/layout'
import { logoutPage } from './pages/logout'
import { csrfToken, isOwnForm, signedIn, signedInAccounts, signOut } from './sessions'

export const logout: LogoutFunction = async (request, req, res) => {
  const hinted = signedInAccounts(req).find(({ sid }) => sid === request.sid)
  const login = hinted ?? signedIn(req)
  if (!login) return { grants: 'keep' }
  if (request.mustAsk(login)) {
    const decision = isOwnForm(req, request.form?.get('csrf')) && request.form?.get('decision')
    if (decision === 'stay') return res.redirect(303, '/')
    if (decision !== 'sign-out') return sendPage(res, logoutPage(request, login.user, csrfToken(req)))
  }
  const { subject, sid } = login
  await signOut(req, sid)
  return { grants: 'session', subject, sid } // apps that were allowed in this login are signed out as well
}
