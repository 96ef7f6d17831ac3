// The account chooser: the accounts that this browser is signed in to. It posts to its own address, as the login does.
import { html } from '../../quickstart/pages/html'
import type { SignedIn } from '../sessions'
import type { Page } from './layout'

export function accountsPage(accounts: readonly SignedIn[], otherAccount: string, csrf: string): Page {
  return {
    title: 'Choose an account',
    body: html`
    <h1>Choose an account</h1>
    <p class="lead">You are signed in to these in this browser.</p>
    <form method="post" id="accounts">
      <input type="hidden" name="csrf" value="${csrf}">
      <ul class="choices">${accounts.map(
        ({ user }) => html`<li>
        <button class="wide choice" id="account-${user.username}" name="account" value="${user.id}">
          <strong>${user.claims.name}</strong> <span>${user.username}</span>
        </button></li>`,
      )}
      </ul>
    </form>
    <p><a id="other-account" href="${otherAccount}">Use another account</a></p>`,
  }
}
