// Signing in to the host, choosing among accounts, and signing out of it.
import express, { type Request, type RequestHandler, type Response, Router } from 'express'
import { rateLimit } from 'express-rate-limit'
import { accountsPage } from './pages/accounts'
import { sendPage } from './pages/layout'
import { loginPage } from './pages/login'
import { messagePage } from './pages/message'
import { detour, returnPath } from './paths'
import { chooseAccount, csrfToken, isOwnForm, signedIn, signedInAccounts, signIn, signOut } from './sessions'
import { userByPassword } from './users'

export const loginRoutes = Router()

const readForm = express.urlencoded({ extended: false, limit: '10kb' })

loginRoutes.get('/login', (req, res) => {
  const { login_hint: hint } = req.query
  sendLogin(req, res, { username: typeof hint === 'string' ? hint : '' })
})

loginRoutes.post('/login', limitGuesses(), readForm, async (req, res) => {
  const username = field(req, 'username')
  if (!isOwnForm(req, field(req, 'csrf'))) {
    const fault = 'That form was too old, or your browser takes no cookies. Please try again.'
    return sendLogin(req, res, { username, status: 403, fault })
  }
  const user = await userByPassword(username, field(req, 'password'))
  if (!user) return sendLogin(req, res, { username, status: 401, fault: 'Username or password is wrong.' })
  await signIn(req, user)
  res.redirect(303, returnPath(req))
})

loginRoutes.get('/accounts', (req, res) => {
  const accounts = signedInAccounts(req)
  const login = detour('/login', returnPath(req))
  if (accounts.length === 0) res.redirect(303, login)
  else sendPage(res, accountsPage(accounts, login, csrfToken(req)))
})

loginRoutes.post('/accounts', readForm, (req, res) => {
  if (!isOwnForm(req, field(req, 'csrf'))) return sendForgery(res)
  const chosen = chooseAccount(req, field(req, 'account'))
  res.redirect(303, chosen ? returnPath(req) : detour('/login', returnPath(req)))
})

loginRoutes.post('/sign-out', readForm, async (req, res) => {
  if (!isOwnForm(req, field(req, 'csrf'))) return sendForgery(res)
  const login = signedIn(req)
  if (login) await signOut(req, login.sid)
  res.redirect(303, '/')
})

/** One field of the form; empty when it is missing, or there more than once. */
function field(req: Request, name: string): string {
  const value = (req.body as Record<string, unknown> | undefined)?.[name]
  return typeof value === 'string' ? value : ''
}

function sendLogin(
  req: Request,
  res: Response,
  { username, fault, status = 200 }: { username: string; fault?: string; status?: number },
): void {
  sendPage(res, loginPage({ csrf: csrfToken(req), username, fault }), status)
}

function sendForgery(res: Response): void {
  const text = 'Or it came from somewhere else. Nothing was changed; go back and try again.'
  sendPage(res, messagePage('That form is too old', text), 403)
}

/** The library limits its own endpoints; guessing passwords is the host's to slow down. */
function limitGuesses(): RequestHandler {
  return rateLimit({
    windowMs: 60_000,
    limit: 20,
    skipSuccessfulRequests: true,
    standardHeaders: true,
    legacyHeaders: false,
    handler: (_req, res) =>
      sendPage(res, messagePage('Too many attempts', 'Wait a minute, then try again.'), 429),
  })
}
