// Forms that a page of this app posts to it.
import express, { type Request, type RequestHandler, type Response } from 'express'
import { sendPage } from './pages/layout'
import { messagePage } from './pages/message'
import { isOwnForm, signedIn } from './sessions'
import type { User } from './users'

export const readForm: RequestHandler = express.urlencoded({ extended: false, limit: '10kb' })

/** One field of the form; empty when it is missing, or there more than once. */
export function field(req: Request, name: string): string {
  const value = (req.body as Record<string, unknown> | undefined)?.[name]
  return typeof value === 'string' ? value : ''
}

/** Handles a form that only our own page can have posted, for who is signed in. `action` says where to go next. */
export function ownForm(action: (user: User, req: Request) => Promise<string>): RequestHandler[] {
  const handle: RequestHandler = async (req, res) => {
    const login = signedIn(req)
    if (login && isOwnForm(req, field(req, 'csrf'))) res.redirect(303, await action(login.user, req))
    else sendForgery(res)
  }
  return [readForm, handle]
}

export function sendForgery(res: Response): void {
  const text = 'Or it came from somewhere else. Nothing was changed; go back and try again.'
  sendPage(res, { title: 'Not done', body: messagePage('That form is too old', text), narrow: true }, 403)
}
