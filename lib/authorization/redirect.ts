// Where the browser goes with an answer (RFC 6749 §4.1.2).
import type { OAuthError } from '../errors'

/**
 * The redirect URI with these parameters added. By hand, since a URL parser would respell what was compared to the
 * letter; registered URIs have no fragment (RFC 6749 §3.1.2).
 */
export function redirectTo(
  redirectUri: string,
  parameters: Readonly<Record<string, string | undefined>>,
): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) query.append(name, value)
  return `${redirectUri}${redirectUri.includes('?') ? '&' : '?'}${query}`
}

/** RFC 6749 §4.1.2.1: the client is known, so the client is told. RFC 9207 §2: and told by whom. */
export function errorRedirect(
  { redirectUri, state }: { readonly redirectUri: string; readonly state: string | undefined },
  { code, description }: Pick<OAuthError, 'code' | 'description'>,
  issuer: string,
): string {
  return redirectTo(redirectUri, { error: code, error_description: description, state, iss: issuer })
}
