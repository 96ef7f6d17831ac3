// The one page of the library: for the user, when there is no client to tell. It echoes nothing of the request.
import { createHash } from 'node:crypto'
import type { OAuthError } from '../errors'

const STYLE = `
:root { color-scheme: light dark }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 15vh auto; padding: 0 1rem }
h1 { font-size: 1.5rem; line-height: 1.25 }
`

/** The page of ours needs its style and nothing else, whatever policy the host has for its own pages. */
export const ERROR_PAGE_POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; frame-ancestors 'none'`

export function errorPage({ description, code, status }: OAuthError): string {
  const [what, advice] =
    status >= 500 || status === 429
      ? [
          'The sign-in does not work at the moment',
          'Nothing is wrong with your account. Go back and try again in a moment.',
        ]
      : [
          'This sign-in cannot go on',
          'The application that sent you here made a mistake. Go back to it, and tell its makers what follows.',
        ]
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${what}</title>
<style>${STYLE}</style>
<h1>${what}</h1>
<p>${advice}</p>
<p>${escapeHtml(description)} <code>${code}</code></p>
</html>
`
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`)
}
