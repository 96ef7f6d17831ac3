// Where a login leads back to. It arrives in the query, so anybody can have made it.
import type { Request } from 'express'
import { origin } from './settings'

/** `/login`, which comes back to the given path of this app afterwards. */
export function loginPath(returnTo: string, username = ''): string {
  return `/login?${new URLSearchParams({ return_to: returnTo, ...(username && { username }) })}`
}

/**
 * The path in `return_to`, if it is one of this app; else the start page. An address of another site would make the
 * login a trustworthy-looking way there. The URL parser decides, as the browser will: it reads `/\example.com` and
 * `//example.com` as another site too.
 */
export function returnPath(req: Request): string {
  const { return_to: returnTo } = req.query
  if (typeof returnTo !== 'string' || !URL.canParse(returnTo, origin)) return '/'
  const url = new URL(returnTo, origin)
  if (url.origin !== origin) return '/'
  // The parser leaves `//example.com` of `/.//example.com`: one slash is enough.
  return url.pathname.replace(/^\/+/, '/') + url.search
}
