// Who is signed in at the host, by express-session, and the token that guards its forms against other sites.
import { randomBytes, timingSafeEqual } from 'node:crypto'
import type { Request, RequestHandler } from 'express'
import session from 'express-session'
import { sessionSecret } from './settings'
import { type User, userById } from './users'

declare module 'express-session' {
  interface SessionData {
    csrfToken: string
    login: Login
  }
}

interface Login {
  readonly userId: string
  /** In milliseconds. It becomes `auth_time` in ID tokens. */
  readonly at: number
  /** Names this login in tokens (`sid`). Not the session's own id: that one is a password. */
  readonly sid: string
}

/** Kept in memory, which is right for one process that may forget; elsewhere give it a store, such as connect-redis. */
export const sessions: RequestHandler = session({
  name: 'quickstart.session',
  secret: sessionSecret,
  resave: false,
  saveUninitialized: false, // no cookie for who only looks
  cookie: { httpOnly: true, sameSite: 'lax', secure: 'auto' },
})

export interface SignedIn {
  readonly user: User
  readonly at: Date
  readonly sid: string
}

export function signedIn(req: Request): SignedIn | undefined {
  const { login } = req.session
  const user = login && userById(login.userId)
  return login && user && { user, at: new Date(login.at), sid: login.sid }
}

/** Under a new session id: an id that somebody planted before the login is worth nothing after it. */
export async function signIn(req: Request, user: User): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    req.session.regenerate((error) => (error ? reject(error) : resolve()))
  })
  req.session.login = {
    userId: user.id,
    at: Date.now(),
    sid: randomBytes(16).toString('base64url'),
  }
}

export function signOut(req: Request): Promise<void> {
  return new Promise((resolve, reject) => {
    req.session.destroy((error) => (error ? reject(error) : resolve()))
  })
}

/** For the hidden field `csrf` of every form: another site can send a form here, but can't read this. */
export function csrfToken(req: Request): string {
  req.session.csrfToken ??= randomBytes(32).toString('base64url')
  return req.session.csrfToken
}

/**
 * Whether a form comes from a page of this app. A browser says where each form comes from; what says nothing is no
 * browser and has nobody's cookies but its own: a script, which may leave the token out.
 */
export function isOwnForm(req: Request, presented: unknown): boolean {
  if (req.get('origin') === undefined && req.get('sec-fetch-site') === undefined) return true
  const expected = Buffer.from(req.session.csrfToken ?? '')
  const given = Buffer.from(typeof presented === 'string' ? presented : '')
  return expected.length > 0 && expected.length === given.length && timingSafeEqual(expected, given)
}
