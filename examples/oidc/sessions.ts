// Who is signed in at the host, by express-session. A browser may be signed in to several accounts; one is in use.
import { randomBytes, timingSafeEqual } from 'node:crypto'
import type { Request, RequestHandler } from 'express'
import session from 'express-session'
import { sessionSecret } from './settings'
import { type User, userById } from './users'

declare module 'express-session' {
  interface SessionData {
    /** The one in use comes first. */
    accounts: Account[]
    csrfToken: string
  }
}

/** Times are in milliseconds. */
interface Account {
  readonly userId: string
  readonly signedInAt: number
  /** When the user last chose it among several. */
  readonly chosenAt: number
  /** Names this login in tokens. Not the session's own id: that one is a password. */
  readonly sid: string
}

/** Kept in memory, which is right for one process that may forget. */
export const sessions: RequestHandler = session({
  name: 'oidc.session',
  secret: sessionSecret,
  resave: false,
  saveUninitialized: false, // no cookie for who only looks
  cookie: { httpOnly: true, sameSite: 'lax', secure: true },
})

/** A login as the library asks for it, and whose it is. */
export interface SignedIn {
  readonly user: User
  readonly subject: string
  readonly authTime: Date
  readonly chosenAt: Date
  readonly sid: string
}

export function signedInAccounts(req: Request): readonly SignedIn[] {
  return (req.session.accounts ?? []).flatMap(({ userId, signedInAt, chosenAt, sid }) => {
    const user = userById(userId)
    if (!user) return []
    return [{ user, subject: user.id, authTime: new Date(signedInAt), chosenAt: new Date(chosenAt), sid }]
  })
}

/** The account in use. */
export function signedIn(req: Request): SignedIn | undefined {
  return signedInAccounts(req)[0]
}

/** Under a new session id: an id that somebody planted before the login is worth nothing after it. */
export async function signIn(req: Request, { id }: User): Promise<void> {
  const others = (req.session.accounts ?? []).filter(({ userId }) => userId !== id)
  await new Promise<void>((resolve, reject) => {
    req.session.regenerate((error) => (error ? reject(error) : resolve()))
  })
  const now = Date.now()
  const sid = randomBytes(16).toString('base64url')
  req.session.accounts = [{ userId: id, signedInAt: now, chosenAt: now, sid }, ...others]
}

/** False when this browser is not signed in to that account. Forms that were shown for another are too old then. */
export function chooseAccount(req: Request, userId: string): boolean {
  const accounts = req.session.accounts ?? []
  const chosen = accounts.find((account) => account.userId === userId)
  if (!chosen) return false
  req.session.accounts = [
    { ...chosen, chosenAt: Date.now() },
    ...accounts.filter((account) => account !== chosen),
  ]
  delete req.session.csrfToken
  return true
}

/** Out of one account, by its `sid`; others stay. */
export async function signOut(req: Request, sid: string): Promise<void> {
  const others = (req.session.accounts ?? []).filter((account) => account.sid !== sid)
  if (others.length > 0) {
    req.session.accounts = others
    delete req.session.csrfToken // of forms that were shown for the one that is gone
    return
  }
  await new Promise<void>((resolve, reject) => {
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
