// The look of the library's own few pages, and the policy that lets them do nothing else. All work without JavaScript.
import { hash } from 'node:crypto'

const STYLE = `
:root { color-scheme: light dark }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 15vh auto; padding: 0 1rem }
h1 { font-size: 1.5rem; line-height: 1.25 }
button { font: inherit; padding: 0.5rem 1rem }
`

/** @param body HTML, in which all that comes from elsewhere is escaped. */
export function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title}</title>
<style>${STYLE}</style>
<h1>${title}</h1>
${body}
</html>
`
}

/** Whatever policy the host has for its own pages. @param script The one script that may run. */
export function pagePolicy(script?: string): string {
  const scripts = script === undefined ? '' : ` script-src ${hashSource(script)};`
  return `default-src 'none'; style-src ${hashSource(STYLE)};${scripts} base-uri 'none'; frame-ancestors 'none'`
}

/** Line ends too: the parser of HTML would change them. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"'\r\n]/g, (char) => `&#${char.charCodeAt(0)};`)
}

/** Content Security Policy Level 3 §2.3.1. */
function hashSource(text: string): string {
  return `'sha256-${hash('sha256', text, 'base64')}'`
}
