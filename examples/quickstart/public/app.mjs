// The page's behaviour: what each button does, and what is shown afterwards.

import { activity } from './activity.mjs'
import { AuthorizationRefused, connect, finishSignIn, RequestRefused, startSignIn } from './oauth.mjs'
import { byId, showActivity, showOutcome, showTokens, tick } from './view.mjs'

const app = byId('app')
const settings = app.dataset

/**
 * The tokens, kept for as long as the tab lives: a reload and a trip to another page don't lose them, and no other
 * tab sees them. Any script on this origin can read them, which is why the page has a strict content security policy.
 */
const kept = {
  get: () => JSON.parse(sessionStorage.getItem('tokens') ?? 'null'),
  set: (tokens) => sessionStorage.setItem('tokens', JSON.stringify(tokens)),
  forget: () => sessionStorage.removeItem('tokens'),
}

for (const id of ['sign-in', 'sign-in-again']) {
  byId(id).addEventListener('click', () =>
    attempt(async () => {
      await startSignIn(await connect(settings))
      await leaving()
    }),
  )
}

byId('call-api').addEventListener('click', () =>
  attempt(async () => {
    const client = await connect(settings)
    const answer = await client.callApi(new URL('/api/me', location.origin), kept.get().accessToken)
    showOutcome(
      'good',
      'The API answered.',
      'It took the access token, and asked for the scope profile:',
      answer,
    )
  }),
)

byId('refresh').addEventListener('click', () =>
  attempt(async () => {
    const client = await connect(settings)
    const before = kept.get()
    const after = await client.refresh(before)
    kept.set(after)
    const rotated = after.refreshToken !== before.refreshToken
    showOutcome(
      'good',
      'Refreshed.',
      rotated ? 'All three tokens are new.' : 'The refresh token stays the same.',
    )
  }),
)

byId('revoke').addEventListener('click', () =>
  attempt(async () => {
    const client = await connect(settings)
    const tokens = kept.get()
    await client.revoke(tokens.refreshToken)
    kept.set({ ...tokens, revoked: true })
    showOutcome('good', 'Revoked.', 'The whole grant is over. Try to refresh, or to call the API.')
  }),
)

byId('sign-out').addEventListener('submit', (event) => {
  event.preventDefault()
  const form = event.target
  attempt(async () => {
    const tokens = kept.get()
    kept.forget()
    // Whether or not the server can be reached: the user wants to be signed out here.
    const client = await connect(settings).catch(() => undefined)
    if (tokens.refreshToken && !tokens.revoked)
      await client?.revoke(tokens.refreshToken).catch(() => undefined)
    form.submit() // ends the session at the host too, or the next visitor would only be asked for consent
    await leaving()
  })
})

byId('clear').addEventListener('click', () => {
  activity.clear()
  showActivity()
})

/** Runs one thing at a time, and shows how it ended. */
async function attempt(action) {
  if (app.ariaBusy === 'true') return
  app.ariaBusy = 'true'
  try {
    await action()
  } catch (error) {
    showFailure(error)
  }
  app.ariaBusy = 'false'
  show()
}

/** For an action that leads away from the page: it stays busy until it is gone. */
const leaving = () => new Promise(() => {})

function showFailure(error) {
  if (error instanceof AuthorizationRefused) {
    const text =
      error.code === 'access_denied' ? 'You did not allow it, so there are no tokens.' : error.description
    showOutcome('bad', error.code, text)
  } else if (error instanceof RequestRefused) {
    showOutcome('bad', error.code, error.description)
    // Nothing brings the grant back: what is left of it is only shown.
    const tokens = kept.get()
    if (tokens && error.code === 'invalid_grant') kept.set({ ...tokens, revoked: true })
  } else {
    console.error(error)
    showOutcome('bad', 'That did not work.', error.message)
  }
}

function show() {
  showTokens(kept.get(), settings)
  showActivity()
}

// The redirect URI is this same page: the authorization server has sent the browser back.
if (location.pathname === new URL(settings.redirectUri).pathname) {
  const response = new URL(location.href)
  history.replaceState(null, '', '/') // a code is of use once; neither reload nor bookmark shall show it again
  await attempt(async () => {
    kept.set(await finishSignIn(await connect(settings), response))
    showOutcome('good', 'Signed in.', 'The response, the ID token and its signature are validated.')
  })
  byId('greeting').focus()
} else {
  show()
}

setInterval(tick, 1000)

// Back from another page to one that the browser had only put aside: it may be out of date.
addEventListener('pageshow', ({ persisted }) => persisted && location.reload())
