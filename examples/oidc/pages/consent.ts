// The consent form. It has no action: it posts to the authorization URL that it was served from.
import type { InteractiveRequest } from 'express-token-endpoint'
import { type Html, html } from '../../quickstart/pages/html'
import { detour } from '../paths'
import type { User } from '../users'
import type { Page } from './layout'

const MEANINGS: Readonly<Record<string, readonly [string, string]>> = {
  openid: ['Know who you are', 'A lasting name for you, and when you signed in'],
  profile: ['See your profile', 'Name, picture, birthday and the like'],
  email: ['See your email address', 'And whether it was verified'],
  address: ['See your postal address', 'Where you live'],
  phone: ['See your phone number', 'And whether it was verified'],
  offline_access: ['Stay signed in', 'Also while you are away'],
}

export function consentPage(request: InteractiveRequest, user: User, csrf: string): Page {
  const { client, scope, claims, resources, redirectUri, returnTo } = request
  const clientName = client.client_name ?? client.client_id
  const claimNames = new Set([...(claims?.userinfo ?? []), ...(claims?.idToken ?? [])])
  return {
    title: `Allow ${clientName}?`,
    body: html`
    <h1>Allow ${clientName}?</h1>
    <p class="lead">It asks for access to the account of <strong>${user.claims.name}</strong>.</p>
    ${request.form && html`<p class="fault" role="alert">That answer was too old. Please decide again.</p>`}
    <ul class="items" id="scope">
      ${scope.map((word) => item(...(MEANINGS[word] ?? [word, 'A permission of this app'])))}
    </ul>
    ${claimNames.size > 0 && html`<p id="claims">It also asks for ${wordList([...claimNames])}.</p>`}
    ${resources.length > 0 && html`<p id="resources">It will use this at ${wordList(resources)}.</p>`}
    <form method="post" id="consent" class="decision">
      <input type="hidden" name="csrf" value="${csrf}">
      <button id="deny" name="decision" value="deny">Deny</button>
      <button class="primary" id="allow" name="decision" value="allow">Allow</button>
    </form>
    <p class="fine">Either answer takes you back to <code>${new URL(redirectUri).origin}</code>. Your answer is remembered
      when you allow it.</p>
    <p class="fine">Not ${user.claims.name}? <a id="other-account" href="${detour('/accounts', returnTo)}">Use another
      account</a></p>`,
  }
}

function item(title: string, detail: string): Html {
  return html`<li><strong>${title}</strong> <span>${detail}</span></li>`
}

function wordList(names: readonly string[]): Html[] {
  return names.map((name, i) => html`${i > 0 && ', '}<code>${name}</code>`)
}
