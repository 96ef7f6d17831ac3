// The login form. It posts to its own address, so that `return_to` stays in the query.
import { html } from '../../quickstart/pages/html'
import type { Page } from './layout'

export function loginPage({
  csrf,
  username,
  fault,
}: {
  csrf: string
  username: string
  fault?: string | undefined
}): Page {
  const describedBy = fault && html`aria-describedby="fault"`
  return {
    title: 'Sign in',
    body: html`
    <h1>Sign in</h1>
    <p class="lead">The demo knows <code>alice</code>, password <code>wonderland</code>, and <code>bob</code>, password
      <code>builder</code>.</p>
    ${fault && html`<p class="fault" id="fault" role="alert">${fault}</p>`}
    <form method="post" id="login">
      <input type="hidden" name="csrf" value="${csrf}">
      <label for="username">Username</label>
      <input id="username" name="username" value="${username}" autocomplete="username" autocapitalize="none"
        spellcheck="false" required ${!username && html`autofocus`} ${describedBy}>
      <label for="password">Password</label>
      <input id="password" name="password" type="password" autocomplete="current-password" required
        ${username && html`autofocus`} ${describedBy}>
      <button class="primary wide" id="sign-in">Sign in</button>
    </form>`,
  }
}
