// What guards the URLs at which a user decides: against pages that frame them, and against forms of another site.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { OAuthError } from '../errors'

export function prepareUserPage(res: ServerResponse): void {
  // RFC 9700 §4.16: no page in front of which a user decides may be framed. A policy beside the host's own holds too.
  res.setHeader('X-Frame-Options', 'DENY')
  res.appendHeader('Content-Security-Policy', "frame-ancestors 'none'")
  res.setHeader('Cache-Control', 'no-store')
  // RFC 9700 §4.2.4. Not `no-referrer`, with which browsers say `Origin: null` of a page's own forms.
  res.setHeader('Referrer-Policy', 'same-origin')
}

/**
 * A page of another site must not decide in the user's name. The host's own token against forged posts comes first;
 * this holds where a browser tells where a form comes from (Fetch Metadata), as all current ones do.
 */
export function refuseForeignForm(req: IncomingMessage): void {
  const site = req.headers['sec-fetch-site']
  if (site === undefined || site === 'same-origin' || site === 'none') return
  throw new OAuthError('invalid_request', 'The form comes from another site.', { reason: 'foreign_form' })
}
