// The modules of the OpenID Foundation's Basic OP profile, in the order of its plan and by their names; each asserts what
// the module of the conformance suite asserts. The Form Post OP profile is the same modules with form_post.
import { createHash, randomBytes } from 'node:crypto'
import { setTimeout as passed } from 'node:timers/promises'
import type { APIResponse } from 'playwright-core'
import { type ClientSite, openClientSite } from './client-site'
import { type Provider, startProvider } from './provider'
import { bearer, openRelyingParty, type RelyingParty } from './relying-party'
import { openScriptedBrowser, readPlan, type ScriptedBrowser, type UserAgent } from './scripted-browser'
import { openSignedInScript } from './signed-in-script'
import { CLAIMS_OF_SCOPE } from './standard-claims'

/** A spent code is only refused within this time, and ends its grant afterwards. The suite waits for 30 seconds. */
const CODE_REPLAY_SECONDS = 1

export function describeBasicProfile(profile: string, responseMode: 'query' | 'form_post'): void {
  let provider: Provider
  let site: ClientSite
  let script: UserAgent

  beforeAll(async () => {
    const env = { CODE_REPLAY_SECONDS: String(CODE_REPLAY_SECONDS) }
    ;[provider, site] = await Promise.all([startProvider(env), openClientSite()])
    script = await openSignedInScript(provider, site.redirectUri)
  })
  afterAll(async () => {
    await script?.close()
    await site?.close()
    await provider?.stop()
  })

  /** From the login on, in Chromium. */
  function module(
    name: string,
    rule: string,
    run: (rp: RelyingParty, browser: ScriptedBrowser) => Promise<void>,
  ): void {
    test(`${name}: ${rule}`, async () => {
      // The suite's browser runs scripts; only the page that posts a response has one.
      const javaScript = responseMode === 'form_post'
      const browser = await openScriptedBrowser(site, readPlan(provider), { module: name, javaScript })
      try {
        await asClient(browser, (rp) => run(rp, browser))
      } finally {
        await browser.close()
      }
    })
  }

  /** Where a page would show nothing more, with a user who is signed in. */
  function moduleSignedIn(name: string, rule: string, run: (rp: RelyingParty) => Promise<void>): void {
    test(`${name}: ${rule}`, () => asClient(script, run))
  }

  async function asClient(agent: UserAgent, run: (rp: RelyingParty) => Promise<void>): Promise<void> {
    const rp = await openRelyingParty({ provider, agent, redirectUri: site.redirectUri, responseMode })
    try {
      await run(rp)
    } finally {
      await rp.close()
    }
  }

  function succeeds(name: string, rule: string, changes: Record<string, string | undefined>): void {
    moduleSignedIn(name, rule, async (rp) => {
      await rp.complete(changes)
    })
  }

  /** No login page, and the same login. */
  function succeedsSilently(
    name: string,
    rule: string,
    changes: (idToken: string) => Record<string, string>,
    first: Record<string, string> = {},
  ): void {
    module(name, rule, async (rp, browser) => {
      const before = await rp.complete(first)
      browser.seen.length = 0
      const after = await rp.complete(changes(before.tokens.id_token))
      expect(browser.seen).toEqual([''])
      expect(after.idToken.sub).toBe(before.idToken.sub)
      expect(after.idToken.auth_time).toEqual(expect.any(Number))
      expect(after.idToken.auth_time).toBe(before.idToken.auth_time)
    })
  }

  function returnsClaims(name: string, rule: string, scope: string): void {
    moduleSignedIn(name, rule, async (rp) => {
      const { userinfo, idToken } = await rp.complete({ scope })
      const expected = scope.split(' ').flatMap((word) => CLAIMS_OF_SCOPE[word] ?? [])
      expect(Object.keys(userinfo).sort()).toEqual([...expected].sort())
      // With an access token they come from there, and not in the ID token.
      expect(Object.keys(idToken)).not.toContain(expected[1])
    })
  }

  describe(profile, () => {
    module('oidcc-server', 'the whole flow (OpenID Connect Core §3.1)', async (rp) => {
      const { tokens, idToken } = await rp.complete()
      const hash = createHash('sha256').update(tokens.access_token).digest()
      expect(idToken.at_hash).toBe(hash.toString('base64url', 0, 16)) // §3.1.3.6
    })

    module(
      'oidcc-response-type-missing',
      'the client is told (RFC 6749 §3.1.1, OpenID Connect Core §3.1.2.6)',
      async (rp) => {
        const request = rp.request({ response_type: undefined })
        expect(await rp.authorize(request)).toEqual({
          error: 'invalid_request',
          error_description: expect.stringMatching(ERROR_TEXT),
          state: request.state,
          iss: rp.metadata.issuer,
        })
      },
    )

    moduleSignedIn(
      'oidcc-idtoken-signature',
      'RS256 unless the client is registered otherwise, with a kid (OpenID Connect Core §3.1.3.7, §10.1)',
      async (rp) => {
        const { idTokenHeader } = await rp.complete()
        expect(idTokenHeader).toEqual({ alg: 'RS256', typ: 'JWT', kid: expect.any(String) })
      },
    )

    moduleSignedIn(
      'oidcc-idtoken-unsigned',
      'is skipped: none is no algorithm here (OpenID Connect Core §3.1.3.7)',
      async (rp) => {
        expect(rp.metadata.id_token_signing_alg_values_supported).toEqual(['RS256', 'ES256'])
      },
    )

    moduleSignedIn(
      'oidcc-userinfo-get',
      'GET with a Bearer header (OpenID Connect Core §5.3.1)',
      async (rp) => {
        const { tokens, userinfo } = await rp.complete()
        const answer = await rp.http.get(rp.metadata.userinfo_endpoint, bearer(tokens.access_token))
        await expectUserinfo(answer, userinfo)
      },
    )

    moduleSignedIn(
      'oidcc-userinfo-post-header',
      'POST with a Bearer header (OpenID Connect Core §5.3.1)',
      async (rp) => {
        const { tokens, userinfo } = await rp.complete()
        const answer = await rp.http.post(rp.metadata.userinfo_endpoint, bearer(tokens.access_token))
        await expectUserinfo(answer, userinfo)
      },
    )

    moduleSignedIn(
      'oidcc-userinfo-post-body',
      'POST with the token in the form (OpenID Connect Core §5.3.1, RFC 6750 §2.2)',
      async (rp) => {
        const { tokens, userinfo } = await rp.complete()
        const form = { access_token: tokens.access_token }
        await expectUserinfo(await rp.http.post(rp.metadata.userinfo_endpoint, { form }), userinfo)
      },
    )

    moduleSignedIn(
      'oidcc-ensure-request-without-nonce-succeeds-for-code-flow',
      'nonce is optional (OpenID Connect Core §3.1.2.1)',
      async (rp) => {
        const { idToken } = await rp.complete({ nonce: undefined })
        expect(idToken).not.toHaveProperty('nonce')
      },
    )

    returnsClaims('oidcc-scope-profile', 'OpenID Connect Core §5.4', 'openid profile')
    returnsClaims('oidcc-scope-email', 'OpenID Connect Core §5.4', 'openid email')
    returnsClaims('oidcc-scope-address', 'OpenID Connect Core §5.4', 'openid address')
    returnsClaims('oidcc-scope-phone', 'OpenID Connect Core §5.4', 'openid phone')
    returnsClaims('oidcc-scope-all', 'OpenID Connect Core §5.4', 'openid profile email address phone')
    returnsClaims('oidcc-ensure-other-scope-order-succeeds', 'in any order (RFC 6749 §3.3)', 'email openid')

    succeeds('oidcc-display-page', 'no error (OpenID Connect Core §3.1.2.1, §15.1)', { display: 'page' })
    succeeds('oidcc-display-popup', 'no error (OpenID Connect Core §3.1.2.1, §15.1)', { display: 'popup' })

    module(
      'oidcc-prompt-login',
      'the user signs in once more (OpenID Connect Core §3.1.2.1)',
      async (rp, browser) => {
        const before = await rp.complete()
        await nextSecond(before.idToken.auth_time)
        // Its script expects the login page both times.
        const after = await rp.complete({ prompt: 'login' })
        expect(browser.seen).toEqual(['Sign in', '', 'Sign in', ''])
        expect(after.idToken.sub).toBe(before.idToken.sub)
        expect(after.idToken.auth_time).toBeGreaterThan(before.idToken.auth_time as number)
      },
    )

    module(
      'oidcc-prompt-none-not-logged-in',
      'no page, but an error (OpenID Connect Core §3.1.2.1, §3.1.2.6)',
      async (rp, browser) => {
        const request = rp.request({ prompt: 'none', state: randomBytes(96).toString('base64url') })
        expect(await rp.authorize(request)).toEqual({
          error: 'login_required',
          error_description: expect.stringMatching(ERROR_TEXT),
          state: request.state,
          iss: rp.metadata.issuer,
        })
        expect(browser.seen).toEqual([''])
      },
    )

    succeedsSilently(
      'oidcc-prompt-none-logged-in',
      'no page, and the same login (OpenID Connect Core §3.1.2.1)',
      () => ({ prompt: 'none' }),
    )

    module(
      'oidcc-max-age-1',
      'an older login is no login, and auth_time tells (OpenID Connect Core §2, §3.1.2.1)',
      async (rp, browser) => {
        const before = await rp.complete()
        await passed(2000)
        const after = await rp.complete({ max_age: '1' })
        expect(browser.seen).toEqual(['Sign in', '', 'Sign in', ''])
        expect(after.idToken.auth_time).toBeGreaterThan(before.idToken.auth_time as number)
        expect(after.idToken.auth_time).toBeGreaterThan(Date.now() / 1000 - 30)
      },
    )

    succeedsSilently(
      'oidcc-max-age-10000',
      'a recent login will do (OpenID Connect Core §2, §3.1.2.1)',
      () => ({ max_age: '10000' }),
      { max_age: '15000' },
    )

    succeeds('oidcc-ensure-request-with-unknown-parameter-succeeds', 'it is ignored (RFC 6749 §3.1)', {
      extra: 'foobar',
    })

    succeedsSilently(
      'oidcc-id-token-hint',
      'the user of the hint is signed in (OpenID Connect Core §3.1.2.1)',
      (idToken) => ({ prompt: 'none', id_token_hint: idToken }),
    )

    module(
      'oidcc-login-hint',
      'no error, and no work (OpenID Connect Core §3.1.2.1)',
      async (rp, browser) => {
        const { login_hint } = readPlan(provider).server
        const page = await browser.context.newPage()
        await page.goto(
          `${rp.metadata.authorization_endpoint}?${new URLSearchParams(rp.request({ login_hint }))}`,
        )
        expect(await page.locator('#username').inputValue()).toBe(login_hint)
        await page.close()
        await rp.complete({ login_hint })
      },
    )

    succeeds('oidcc-ui-locales', 'no error (OpenID Connect Core §3.1.2.1, §15.1)', { ui_locales: 'se' })
    succeeds('oidcc-claims-locales', 'no error (OpenID Connect Core §5.2, §15.1)', { claims_locales: 'se' })

    moduleSignedIn(
      'oidcc-ensure-request-with-acr-values-succeeds',
      'and one of them is in the ID token (OpenID Connect Core §3.1.2.1, §15.1)',
      async (rp) => {
        expect((await rp.complete({ acr_values: '1 2' })).idToken.acr).toBe('1')
      },
    )

    moduleSignedIn('oidcc-codereuse', 'a code is good once (RFC 6749 §4.1.2, §5.2)', async (rp) => {
      const { code } = await rp.complete()
      await expectInvalidGrant(await rp.redeem(code))
    })

    moduleSignedIn(
      'oidcc-codereuse-30seconds',
      'and later the access token is revoked as well (RFC 6749 §4.1.2)',
      async (rp) => {
        const { code, tokens } = await rp.complete()
        await passed(CODE_REPLAY_SECONDS * 1000)
        await expectInvalidGrant(await rp.redeem(code))
        const userinfo = await rp.http.get(rp.metadata.userinfo_endpoint, bearer(tokens.access_token))
        expect(userinfo.status()).toBe(401)
        expect(userinfo.headers()['www-authenticate']).toContain('error="invalid_token"')
      },
    )

    module(
      'oidcc-ensure-registered-redirect-uri',
      'another is told to the user, not to the client (OpenID Connect Core §3.1.2.1, RFC 6749 §4.1.2.1)',
      async (rp, browser) => {
        const redirect_uri = `${rp.redirectUri}/../aB3dE5gH7j`
        expect(await rp.authorize(rp.request({ redirect_uri }))).toBeUndefined()
        expect(browser.seen).toEqual([
          'The redirect URI is not registered',
          'This cannot go on · Example accounts',
        ])
      },
    )

    module(
      'oidcc-ensure-post-request-succeeds',
      'a request may be posted, from another site (OpenID Connect Core §3.1.2.1)',
      async (rp) => {
        await rp.complete({}, { method: 'POST' })
      },
    )

    module(
      'oidcc-server-client-secret-post',
      'the secret in the form (OpenID Connect Core §9)',
      async (rp) => {
        rp.client = { ...readPlan(provider).client_secret_post, method: 'client_secret_post' }
        expect(rp.metadata.token_endpoint_auth_methods_supported).toContain('client_secret_post')
        await rp.complete()
      },
    )

    moduleSignedIn(
      'oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported',
      'rejected (OpenID Connect Core §6.2, §3.1.2.6)',
      async (rp) => {
        const request = rp.request({ request_uri: 'https://client.example/request.jwt' })
        const response = await rp.authorize(request)
        expect(response).toMatchObject({ error: 'request_uri_not_supported', state: request.state })
        expect(rp.metadata.request_uri_parameter_supported).toBe(false) // true is the default (Discovery §3)
      },
    )

    moduleSignedIn(
      'oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported',
      'rejected (OpenID Connect Core §6.1, §3.1.2.6)',
      async (rp) => {
        const request = rp.request()
        const response = await rp.authorize({ ...request, request: unsecured(request) })
        expect(response).toMatchObject({ error: 'request_not_supported', state: request.state })
        expect(rp.metadata.request_object_signing_alg_values_supported ?? []).not.toContain('none')
      },
    )

    moduleSignedIn(
      'oidcc-claims-essential',
      'name comes from userinfo, not in the ID token (OpenID Connect Core §5.5, §5.5.1)',
      async (rp) => {
        const claims = JSON.stringify({ userinfo: { name: { essential: true } } })
        const { userinfo, idToken } = await rp.complete({ claims })
        expect(userinfo).toEqual({ sub: idToken.sub, name: 'Alice Pleasance Liddell' })
        expect(idToken).not.toHaveProperty('name')
      },
    )

    module(
      'oidcc-ensure-request-object-with-redirect-uri',
      'a bad redirect URI beside a request object is told to the user (OpenID Connect Core §6.1)',
      async (rp, browser) => {
        const request = rp.request()
        const redirect_uri = `${rp.redirectUri}_invalid`
        expect(await rp.authorize({ ...request, redirect_uri, request: unsecured(request) })).toBeUndefined()
        expect(browser.seen).toContain('The redirect URI is not registered')
      },
    )

    module(
      'oidcc-refresh-token',
      'new tokens for the same login, and for their client only (OpenID Connect Core §11, §12)',
      async (rp) => {
        const scope = 'openid offline_access'
        const first = await rp.complete({ scope, prompt: 'consent' })
        await refreshAndCompare(rp, first, { scope })

        rp.client = { ...readPlan(provider).client2, method: 'client_secret_basic' }
        const second = await rp.complete({
          scope,
          prompt: 'consent',
          nonce: randomBytes(32).toString('base64url'),
        })
        const refreshToken = await refreshAndCompare(rp, second, {})

        rp.client = { ...readPlan(provider).client, method: 'client_secret_basic' }
        await expectInvalidGrant(await rp.refresh(refreshToken))
      },
    )

    moduleSignedIn('oidcc-ensure-request-with-valid-pkce-succeeds', 'with S256 (RFC 7636 §4)', async (rp) => {
      const code_verifier = randomBytes(32).toString('base64url')
      const code_challenge = createHash('sha256').update(code_verifier).digest('base64url')
      await rp.complete(
        { code_challenge, code_challenge_method: 'S256' },
        { tokenRequest: { code_verifier } },
      )
    })
  })
}

/** RFC 6749 §4.1.2.1, §5.2. */
const ERROR_TEXT = /^[\x20-\x21\x23-\x5B\x5D-\x7E]+$/

async function expectUserinfo(answer: APIResponse, expected: Record<string, unknown>): Promise<void> {
  expect(answer.status()).toBe(200)
  expect(await answer.json()).toEqual(expected)
}

async function expectInvalidGrant(answer: APIResponse): Promise<void> {
  expect(answer.status()).toBe(400)
  expect(answer.headers()['content-type']).toMatch(/^application\/json\b/)
  expect(await answer.json()).toEqual({
    error: 'invalid_grant',
    error_description: expect.stringMatching(ERROR_TEXT),
  })
}

/** OpenID Connect Core §12.2. The refresh token with which it may go on. */
async function refreshAndCompare(
  rp: RelyingParty,
  { tokens, idToken }: Awaited<ReturnType<RelyingParty['complete']>>,
  changes: Record<string, string>,
): Promise<string> {
  const refreshToken = tokens.refresh_token ?? ''
  expect(refreshToken).toMatch(/^[\x20-\x7E]{22,}$/)
  await nextSecond(idToken.iat)
  const answer = await rp.refresh(refreshToken, changes)
  expect(answer.status()).toBe(200)
  expect(answer.headers()).toMatchObject({
    'content-type': expect.stringMatching(/^application\/json\b/),
    'cache-control': 'no-store',
  })
  const refreshed = await answer.json()
  expect(refreshed).toMatchObject({ token_type: 'Bearer', expires_in: expect.any(Number) })
  expect(refreshed.access_token).not.toBe(tokens.access_token)
  const [, claims] = await rp.readIdToken(refreshed.id_token, { nonce: undefined })
  const { iss, sub, aud, auth_time } = idToken
  expect(claims).toMatchObject({ iss, sub, aud, auth_time })
  expect(claims.iat).toBeGreaterThan(idToken.iat as number)
  const userinfo = await rp.http.get(rp.metadata.userinfo_endpoint, bearer(refreshed.access_token))
  expect(userinfo.status()).toBe(200)
  return refreshed.refresh_token ?? refreshToken
}

/** Tokens tell times in seconds, and the suite waits for them to differ. */
async function nextSecond(seconds: unknown): Promise<void> {
  await passed(Math.max(0, ((seconds as number) + 1) * 1000 - Date.now()))
}

/** A request object with `alg: none`. */
function unsecured(request: Record<string, string>): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${encode({ alg: 'none' })}.${encode(request)}.`
}
