// Where a login leads back to. It arrives in the query, so anybody can have made it.
import type { Request } from 'express'
import { origin } from './settings'

/** A page of this app that comes back to the given path of it afterwards. */
export function detour(page: '/login' | '/accounts', returnTo: string, loginHint = ''): string {
  return `${page}?${new URLSearchParams({ return_to: returnTo, ...(loginHint && { login_hint: loginHint }) })}`
}

/** The path in `return_to`, if it is one of this app; else the start page. The URL parser decides, as the browser will. */
export function returnPath(req: Request): string {
  const { return_to: returnTo } = req.query
  if (typeof returnTo !== 'string' || !URL.canParse(returnTo, origin)) return '/'
  const url = new URL(returnTo, origin)
  if (url.origin !== origin) return '/'
  // The parser leaves `//example.com` of `/.//example.com`: one slash is enough.
  return url.pathname.replace(/^\/+/, '/') + url.search
}
