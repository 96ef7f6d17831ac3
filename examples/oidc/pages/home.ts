// The start page: who is signed in, and where clients find the server.
import { html } from '../../quickstart/pages/html'
import type { SignedIn } from '../sessions'
import type { Page } from './layout'

export function homePage(login: SignedIn | undefined, discovery: string, csrf: string): Page {
  return {
    title: 'Start',
    body: html`
    <h1>${login ? html`Hello, ${login.user.claims.name}` : 'An OpenID Connect server'}</h1>
    ${
      login
        ? html`<form method="post" action="/sign-out">
      <input type="hidden" name="csrf" value="${csrf}">
      <button id="sign-out">Sign out</button>
    </form>`
        : html`<p><a class="button primary" id="sign-in" href="/login">Sign in</a></p>`
    }
    <p class="fine">Clients find what they need at <a href="${discovery}">${discovery}</a>.</p>`,
  }
}
