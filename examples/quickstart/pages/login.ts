// The login form. It posts to its own address, so that `return_to` stays in the query.
import { type Html, html } from './html'

export interface LoginPage {
  readonly csrf: string
  readonly username: string
  readonly fault?: string | undefined
}

export function loginPage({ csrf, username, fault }: LoginPage): Html {
  return html`
  <section class="card form">
    <h1>Sign in</h1>
    <p class="lead">With your account at this app. The demo has one: <code>alice</code>, <code>wonderland</code>.</p>
    ${fault && html`<p class="notice bad" id="fault" role="alert">${fault}</p>`}
    <form method="post">
      <input type="hidden" name="csrf" value="${csrf}">
      <label for="username">Username</label>
      <input id="username" name="username" value="${username}" autocomplete="username" autocapitalize="none"
        spellcheck="false" required ${!username && html`autofocus`} ${fault && html`aria-describedby="fault"`}>
      <label for="password">Password</label>
      <input id="password" name="password" type="password" autocomplete="current-password"
        required ${username && html`autofocus`} ${fault && html`aria-describedby="fault"`}>
      <button class="button primary block">Sign in</button>
    </form>
  </section>`
}
