// Signing in to the host and out of it: /login and /logout.
import { type Request, type RequestHandler, type Response, Router } from 'express'
import { rateLimit } from 'express-rate-limit'
import { field, readForm, sendForgery } from './forms'
import { sendPage } from './pages/layout'
import { loginPage } from './pages/login'
import { messagePage } from './pages/message'
import { returnPath } from './paths'
import { csrfToken, isOwnForm, signedIn, signIn, signOut } from './sessions'
import { limitRequests } from './settings'
import { userByPassword } from './users'

export const loginRoutes = Router()

loginRoutes.get('/login', (req, res) => {
  const { username } = req.query
  sendLogin(req, res, { username: typeof username === 'string' ? username : '' })
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

loginRoutes.post('/logout', readForm, async (req, res) => {
  if (signedIn(req) && !isOwnForm(req, field(req, 'csrf'))) return sendForgery(res)
  await signOut(req)
  res.redirect(303, '/')
})

function sendLogin(
  req: Request,
  res: Response,
  { username, fault, status = 200 }: { username: string; fault?: string; status?: number },
): void {
  sendPage(
    res,
    { title: 'Sign in', body: loginPage({ csrf: csrfToken(req), username, fault }), narrow: true },
    status,
  )
}

/** The library limits its own endpoints; guessing passwords is the host's to slow down. */
function limitGuesses(): RequestHandler {
  return rateLimit({
    windowMs: 60_000,
    limit: 20,
    skipSuccessfulRequests: true,
    standardHeaders: true,
    legacyHeaders: false,
    skip: () => !limitRequests,
    handler: (_req, res) => {
      const body = messagePage('Too many attempts', 'Wait a minute, then try again.')
      sendPage(res, { title: 'Too many attempts', body, narrow: true }, 429)
    },
  })
}
