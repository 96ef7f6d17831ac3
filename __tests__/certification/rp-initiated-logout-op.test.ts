// What the OpenID Foundation's RP-Initiated Logout OP certification asks, module by module.
import { randomBytes } from 'node:crypto'
import { type APIRequestContext, type APIResponse, request } from 'playwright-core'
import { type Provider, startProvider } from './provider'
import { bearer, openRelyingParty, type RelyingParty } from './relying-party'
import { readPlan } from './scripted-browser'
import { openSignedInScript, type SignedInScript } from './signed-in-script'

const SUITE = 'https://localhost.emobix.co.uk:8443/test/a/express-token-endpoint'
const BACK = `${SUITE}/post_logout_redirect`

let provider: Provider
let http: APIRequestContext

beforeAll(async () => {
  provider = await startProvider()
  http = await request.newContext({ ignoreHTTPSErrors: true })
})
afterAll(async () => {
  await http?.dispose()
  await provider?.stop()
})

describe('RP-Initiated Logout OP', () => {
  test('oidcc-rp-initiated-logout-discovery-endpoint-verification (RP-Initiated Logout §2.1)', async () => {
    const metadata = await (await http.get(readPlan(provider).server.discoveryUrl)).json()
    expect(metadata.end_session_endpoint).toBe(`${provider.issuer}/logout`)
  })

  /** The request as the module has it, from the whole one; and where the browser must get to. */
  function module(
    name: string,
    rule: string,
    parametersOf: (all: Parameters) => Partial<Parameters>,
    expectAnswer: (answer: APIResponse, agent: SignedInScript, state: string) => Promise<void>,
    expectAfterwards = expectLoggedOut,
  ): void {
    test(`${name}: ${rule}`, async () => {
      const agent = await openSignedInScript(provider, `${SUITE}/callback`)
      const rp = await openRelyingParty({
        provider,
        agent,
        redirectUri: `${SUITE}/callback`,
        responseMode: 'query',
      })
      try {
        const { tokens } = await rp.complete()
        const state = randomBytes(96).toString('base64url')
        const all = { id_token_hint: tokens.id_token, post_logout_redirect_uri: BACK, state }
        const query = new URLSearchParams(parametersOf(all) as Record<string, string>)
        const answer = await agent.http.get(`${provider.issuer}/logout?${query}`)
        await expectAnswer(answer, agent, state)
        await expectAfterwards(rp, tokens.access_token)
      } finally {
        await rp.close()
        await agent.close()
      }
    })
  }

  module(
    'oidcc-rp-initiated-logout',
    'back at the client, with state, and logged out (§2, §3)',
    (all) => all,
    async (answer, _agent, state) => {
      expect(answer.status()).toBe(303)
      expect(answer.headers().location).toBe(`${BACK}?state=${state}`)
    },
  )

  module(
    'oidcc-rp-initiated-logout-bad-post-logout-redirect-uri',
    'an error page (§3)',
    (all) => ({ ...all, post_logout_redirect_uri: `${BACK}aB3dE5gH7j` }),
    expectError('The redirect URI is not registered for this client.'),
    expectLoggedIn,
  )

  module(
    'oidcc-rp-initiated-logout-modified-id-token-hint',
    'with alg none: an error page (§2, §4)',
    (all) => ({ ...all, id_token_hint: unsecured(all.id_token_hint) }),
    expectError('The ID token hint is not an ID token of this server.'),
    expectLoggedIn,
  )

  module(
    'oidcc-rp-initiated-logout-no-id-token-hint',
    'an error page, and not back at the client (§2, §3)',
    ({ id_token_hint: _, ...others }) => others,
    expectError('The redirect URI is not registered for this client.'),
    expectLoggedIn,
  )

  module(
    'oidcc-rp-initiated-logout-no-params',
    'the user is asked, and logged out (§2)',
    () => ({}),
    async (answer, agent) => expectSignedOut(await confirm(answer, agent)),
  )

  module(
    'oidcc-rp-initiated-logout-no-post-logout-redirect-uri',
    'logged out, with a page that says so (§2)',
    ({ id_token_hint }) => ({ id_token_hint }),
    async (answer) => expectSignedOut(answer),
  )

  module(
    'oidcc-rp-initiated-logout-no-state',
    'back at the client, without state (§2, §3)',
    ({ state: _, ...others }) => others,
    async (answer) => {
      expect(answer.status()).toBe(303)
      expect(answer.headers().location).toBe(BACK)
    },
  )

  module(
    'oidcc-rp-initiated-logout-only-state',
    'the user is asked, and logged out (§2)',
    ({ state }) => ({ state }),
    async (answer, agent) => expectSignedOut(await confirm(answer, agent)),
  )
})

interface Parameters {
  readonly id_token_hint: string
  readonly post_logout_redirect_uri: string
  readonly state: string
}

function expectError(text: string) {
  return async (answer: APIResponse) => {
    expect(answer.status()).toBe(400)
    expect(await answer.text()).toContain(text)
  }
}

async function confirm(answer: APIResponse, agent: SignedInScript): Promise<APIResponse> {
  expect(answer.status()).toBe(200)
  expect(await answer.text()).toContain('<h1>Sign out?</h1>')
  return agent.http.post(answer.url(), { form: { decision: 'sign-out' } })
}

async function expectSignedOut(answer: APIResponse): Promise<void> {
  expect(answer.status()).toBe(200)
  expect(await answer.text()).toContain('<h1>You are signed out</h1>')
}

/** The module asks by prompt=none. What was granted in this login has ended, too. */
async function expectLoggedOut(rp: RelyingParty, accessToken: string): Promise<void> {
  expect(await rp.authorize(rp.request({ prompt: 'none' }))).toMatchObject({ error: 'login_required' })
  expect((await http.get(rp.metadata.userinfo_endpoint, bearer(accessToken))).status()).toBe(401)
}

async function expectLoggedIn(rp: RelyingParty, accessToken: string): Promise<void> {
  expect(await rp.authorize(rp.request({ prompt: 'none' }))).toHaveProperty('code')
  expect((await http.get(rp.metadata.userinfo_endpoint, bearer(accessToken))).status()).toBe(200)
}

function unsecured(idToken: string): string {
  const [, claims] = idToken.split('.')
  return `${Buffer.from('{"alg":"none"}').toString('base64url')}.${claims}.`
}
