// The consent form. It has no action either: it posts to the authorization URL that it was served from.
import { type Html, html } from './html'

export interface ConsentPage {
  readonly csrf: string
  readonly userName: string
  readonly clientName: string
  /** Where the browser goes with either answer. */
  readonly redirectUri: string
  /** Words of the scope; single claims and APIs, as `request.asksFor` has them. */
  readonly asksFor: readonly string[]
  /** To sign in as somebody else. */
  readonly otherAccount: string
  readonly fault?: string | undefined
}

const MEANINGS: Readonly<Record<string, readonly [string, string]>> = {
  openid: ['Know who you are', 'A lasting name for you, and when you signed in'],
  profile: ['See your profile', 'Your name'],
  offline_access: ['Keep you signed in', 'Also while you are away, until you end it on the devices page'],
}

export function consentPage(page: ConsentPage): Html {
  return html`
  <section class="card form">
    <h1>Allow <strong class="client">${page.clientName}</strong>?</h1>
    <p class="lead">It asks for access to the account of <strong>${page.userName}</strong>.</p>
    ${page.fault && html`<p class="notice bad" role="alert">${page.fault}</p>`}
    <ul class="scopes">${page.asksFor.map(item)}</ul>
    <form method="post" class="decision">
      <input type="hidden" name="csrf" value="${page.csrf}">
      <button class="button" name="decision" value="deny">Deny</button>
      <button class="button primary" name="decision" value="allow">Allow</button>
    </form>
    <p class="fine">Either answer takes you back to <code>${new URL(page.redirectUri).origin}</code></p>
    <p class="fine">Not ${page.userName}? <a href="${page.otherAccount}">Use another account</a></p>
  </section>`
}

function item(asked: string): Html {
  const [title, detail] = MEANINGS[asked] ?? meaningOf(asked)
  return html`<li class="scope"><strong>${title}</strong><span>${detail}</span></li>`
}

function meaningOf(asked: string): readonly [string, string] {
  const [, kind, name = ''] = /^(claim|resource):(.*)$/.exec(asked) ?? []
  if (kind === 'claim') return ['See one detail about you', name]
  if (kind === 'resource') return ['Use it in your name', name]
  return [asked, 'A permission of this app']
}
