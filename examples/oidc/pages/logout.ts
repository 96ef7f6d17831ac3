// The page that asks before a logout: a client asks for it without an ID token of this very login, and so could any site.
import type { LogoutRequest } from 'express-token-endpoint'
import { html } from '../../quickstart/pages/html'
import type { User } from '../users'
import type { Page } from './layout'

export function logoutPage({ client, form }: LogoutRequest, user: User, csrf: string): Page {
  const asking = client ? (client.client_name ?? client.client_id) : 'An app'
  return {
    title: 'Sign out?',
    body: html`
    <h1>Sign out?</h1>
    <p class="lead">${asking} asks for it. You are signed in as <strong>${user.claims.name}</strong>, and the apps that you
      allowed since then will be signed out as well.</p>
    ${form && html`<p class="fault" role="alert">That answer was too old. Please decide again.</p>`}
    <form method="post" id="logout" class="decision">
      <input type="hidden" name="csrf" value="${csrf}">
      <button id="stay" name="decision" value="stay">Stay signed in</button>
      <button class="primary" id="sign-out" name="decision" value="sign-out">Sign out</button>
    </form>`,
  }
}
