// What every page has in common, and the headers it is sent with. No page has a script.
import type { Response } from 'express'
import { type Html, html } from '../../quickstart/pages/html'

export interface Page {
  readonly title: string
  readonly body: Html
}

/** Not to be kept by any cache: pages name the user and hold the token of their forms. */
export function sendPage(res: Response, page: Page, status = 200): void {
  res.set({
    'Cache-Control': 'no-store',
    // Nobody frames a page and has it clicked. No form-action: it would also hold for the redirect to the client.
    'Content-Security-Policy':
      "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'",
    'Referrer-Policy': 'same-origin',
    'X-Content-Type-Options': 'nosniff',
  })
  res.status(status).type('html').send(document(page).markup)
}

function document({ title, body }: Page): Html {
  return html`<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>${title} · Example accounts</title>
  <link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
  <link rel="stylesheet" href="/assets/style.css">
</head>
<body>
  <header><a href="/"><img src="/assets/icon.svg" alt="" width="28" height="28"> Example accounts</a></header>
  <main>${body}</main>
</body>
</html>
`
}
