// The page that signs in as an OAuth client. The markup is all here; its script fills it in and shows what applies.
import { type Html, html } from './html'

export interface HomePage {
  readonly issuer: string
  readonly clientId: string
  readonly redirectUri: string
  readonly scope: string
  /** A refresh token tells nobody how long it lives; this page knows, as it comes with the server. */
  readonly refreshIdleSeconds: number
  /** Who is signed in at the host, where somebody is, and the token for the form that signs out. */
  readonly host: { readonly userName: string; readonly csrf: string } | undefined
}

export function homePage(page: HomePage): Html {
  return html`
  <div id="app" data-issuer="${page.issuer}" data-client-id="${page.clientId}" data-redirect-uri="${page.redirectUri}"
    data-scope="${page.scope}" data-refresh-idle-seconds="${page.refreshIdleSeconds}">
    <noscript>
      <p class="notice bad">This page is an OAuth client that runs in the browser, so it needs JavaScript. The login
        and the consent form of the server don't.</p>
    </noscript>
    ${signedOut(page)}
    ${signedIn(page)}
    <div id="outcome" class="outcome" role="status"></div>
    ${tokens}
    <section class="card activity" aria-labelledby="activity-title">
      <div class="title">
        <h2 id="activity-title">Activity</h2>
        <button class="link" id="clear" hidden>Clear</button>
      </div>
      <p id="activity-empty" class="quiet">Nothing yet. Every request that this page makes shows up here, with its answer.</p>
      <ol id="activity"></ol>
    </section>
  </div>`
}

function signedOut(page: HomePage): Html {
  return html`<section id="signed-out" hidden>
    <div class="hero">
      <div>
        <h1>Sign in, and watch the tokens&nbsp;work.</h1>
        <p class="lead">The authorization code flow with PKCE, run by this page against the token endpoint that is
          mounted in the app that serves it.</p>
        <p class="row">
          <button class="button primary large" id="sign-in">Sign in</button>
          <span class="quiet">${
            page.host
              ? html`You have a session as ${page.host.userName}: only consent is asked.`
              : html`as <code>alice</code> with <code>wonderland</code>`
          }</span>
        </p>
      </div>
      ${chain}
    </div>
    <ol class="steps">
      <li><h2>Authorize</h2><p>The app's own login and consent page decide. A code comes back, with <code>state</code>
        and <code>iss</code>.</p></li>
      <li><h2>Exchange</h2><p>Code and PKCE verifier become an access token, an ID token and a refresh token.</p></li>
      <li><h2>Use</h2><p>Call an API, refresh, revoke. End it from the devices page, and see the refresh refused.</p></li>
    </ol>
  </section>`
}

/** What the library makes of a sign-in. */
const chain = html`<svg class="chain" viewBox="0 0 270 310" role="img"
    aria-label="A grant is a chain of single-use links: first the code, then one refresh token after the other.">
  <rect class="spent" x="14" y="10" width="44" height="92" rx="22"/>
  <rect class="current" x="14" y="130" width="44" height="92" rx="22"/>
  <path class="gap" d="M36 82v68"/><path class="spent" d="M36 82v68"/>
  <path class="coming" d="M36 236v34M14 300v-28a22 22 0 0 1 44 0v28"/>
  <text x="84" y="50">Code</text><text class="note" x="84" y="69">spent by the exchange</text>
  <text x="84" y="113">Refresh token</text><text class="note" x="84" y="132">spent by a refresh</text>
  <text class="now" x="84" y="176">Refresh token</text><text class="note" x="84" y="195">the one that counts</text>
  <text class="later" x="84" y="241">The next one</text><text class="note" x="84" y="260">when you refresh</text>
</svg>`

function signedIn(page: HomePage): Html {
  return html`<section id="signed-in" class="title" hidden>
    <div>
      <h1 id="greeting" tabindex="-1"></h1>
      <p class="lead">These tokens live in this tab. Try what they can do.</p>
    </div>
    <form class="actions" id="sign-out" method="post" action="/logout">
      <input type="hidden" name="csrf" value="${page.host?.csrf}">
      <button class="button primary" type="button" id="call-api">Call the API</button>
      <button class="button" type="button" id="refresh">Refresh</button>
      <button class="button" type="button" id="revoke">Revoke</button>
      <button class="button" type="button" id="sign-in-again">Sign in again</button>
      <button class="button ghost">Sign out</button>
    </form>
  </section>`
}

const tokens = html`<div id="tokens" class="tokens" hidden>
  ${tokenCard('access-token', 'Access token', 'A signed JWT. The API reads who may do what.')}
  ${tokenCard('id-token', 'ID token', 'A signed JWT. It tells this page who signed in, and how.')}
  ${tokenCard('refresh-token', 'Refresh token', 'Opaque to this page. It is worth a new set of tokens, once.')}
</div>`

function tokenCard(id: string, title: string, about: string): Html {
  return html`<article class="card token" id="${id}" aria-labelledby="${id}-title">
    <div class="title">
      <h2 id="${id}-title">${title}</h2>
      <span class="pill" data-part="state"></span>
    </div>
    <p class="quiet">${about}</p>
    <p class="countdown"><span data-part="left"></span> <span class="quiet" data-part="left-label"></span></p>
    <progress data-part="progress" aria-label="Remaining lifetime"></progress>
    <code class="raw" data-part="raw"></code>
    <dl class="claims" data-part="claims"></dl>
  </article>`
}
