// Where the browser goes with an answer (RFC 6749 §4.1.2).

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
