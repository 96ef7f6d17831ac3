// What every page has in common: head, header, footer, and the headers it is sent with.
import { createHash } from 'node:crypto'
import type { RequestHandler, Response } from 'express'
import { Html, html } from './html'

/** Lets the page in the browser say `import … from 'oauth4webapi'`, unbundled. */
const importMap = JSON.stringify({ imports: { oauth4webapi: '/vendor/oauth4webapi.js' } })

const contentSecurityPolicy = [
  "default-src 'none'",
  // An import map has to be inline. By its hash it is the only inline script there is.
  `script-src 'self' 'sha256-${createHash('sha256').update(importMap).digest('base64')}'`,
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'", // nobody frames the consent page and has it clicked
  // No form-action: it would also hold for the redirect after the consent form, which leads to the client.
].join('; ')

export const securityHeaders: RequestHandler = (_req, res, next) => {
  res.set({
    'Content-Security-Policy': contentSecurityPolicy,
    'Referrer-Policy': 'same-origin',
    'X-Content-Type-Options': 'nosniff',
  })
  next()
}

export interface Page {
  readonly title: string
  readonly body: Html
  /** Where in the navigation it is. */
  readonly here?: 'page' | 'devices'
  /** Who is signed in, with a button to sign out. */
  readonly account?: { readonly name: string; readonly csrf: string }
  /** For forms: narrow, in the middle, without navigation. */
  readonly narrow?: boolean
  /** Its script, a module. */
  readonly script?: string
}

/** Not to be kept by any cache: pages name the user and hold the token of their forms. */
export function sendPage(res: Response, page: Page, status = 200): void {
  res.status(status).type('html').set('Cache-Control', 'no-store').send(document(page).markup)
}

function document({ title, body, here, account, narrow, script }: Page): Html {
  return html`<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>${title} · Quickstart</title>
  <link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
  <link rel="stylesheet" href="/assets/style.css">
  ${
    script &&
    html`<script type="importmap">${new Html(importMap)}</script>
  <script type="module" src="${script}"></script>`
  }
</head>
<body class="${narrow ? 'narrow' : 'wide'}">
  <a class="skip" href="#main">Skip to the content</a>
  <header class="top">
    <a class="brand" href="/">${mark}<span>Quickstart</span></a>
    ${
      !narrow &&
      html`<nav aria-label="Pages">
      <a href="/" ${here === 'page' && html`aria-current="page"`}>Tokens</a>
      <a href="/devices" ${here === 'devices' && html`aria-current="page"`}>Devices</a>
    </nav>`
    }
    ${
      account &&
      html`<form class="account" method="post" action="/logout">
      <input type="hidden" name="csrf" value="${account.csrf}">
      <span>${account.name}</span>
      <button class="button ghost">Sign out</button>
    </form>`
    }
  </header>
  <main id="main">${body}</main>
  <footer class="bottom">
    <p>A host app on <a href="https://www.npmjs.com/package/express-token-endpoint">express-token-endpoint</a></p>
    <p class="links">
      <a href="/.well-known/openid-configuration/oauth">Discovery</a>
      <a href="/oauth/jwks">Keys</a>
    </p>
  </footer>
</body>
</html>
`
}

/** A chain of links: what a grant is. */
const mark = html`<svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
  <rect width="32" height="32" rx="9"/>
  <path d="M14.2 11.3l1.6-1.6a4.6 4.6 0 0 1 6.5 6.5l-2.6 2.6a4.6 4.6 0 0 1-6.5 0"/>
  <path d="M17.8 20.7l-1.6 1.6a4.6 4.6 0 0 1-6.5-6.5l2.6-2.6a4.6 4.6 0 0 1 6.5 0"/>
</svg>`
