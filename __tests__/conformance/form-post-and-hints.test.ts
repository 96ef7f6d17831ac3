// response_mode=form_post and silent logins by id_token_hint, with clients that others wrote.
import * as oauth from 'oauth4webapi'
import * as client from 'openid-client'
import type { AuthorizeFunction } from '../../lib'
import { CALLBACK } from '../support/fixture'
import { browse, startIssuer } from './real-issuer'

const INSECURE = { [oauth.allowInsecureRequests]: true }

/** What a browser posts to the client, whose form it was sent. */
async function submit(url: URL | string): Promise<Request> {
  const html = await (await fetch(url)).text()
  const action = /<form method="post" action="([^"]*)">/.exec(html)?.[1] ?? ''
  const fields = [...html.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)]
  const body = new URLSearchParams()
  for (const [, name = '', value = ''] of fields)
    body.append(
      name,
      value.replace(/&#(\d+);/g, (_all, code) => String.fromCharCode(code)),
    )
  return new Request(action, { method: 'POST', body })
}

/** Whoever is logged in here has consented; `alice` it is, since a minute. */
const authorize: AuthorizeFunction = (request) => {
  const login = { subject: 'alice', authTime: new Date(Date.now() - 60_000) }
  return request.nextStep(login, true) === 'approve' ? login : { error: 'interaction_required' }
}

async function discovered() {
  const { issuer } = await startIssuer({ authorize })
  const config = await client.discovery(new URL(issuer), 'spa', undefined, client.None(), {
    execute: [client.allowInsecureRequests],
  })
  const as = config.serverMetadata() as oauth.AuthorizationServer
  return { config, as, spa: { client_id: 'spa' } as oauth.Client }
}

async function asking(more: Record<string, string> = {}) {
  const verifier = client.randomPKCECodeVerifier()
  const [state, nonce] = [client.randomState(), client.randomNonce()]
  const parameters = {
    redirect_uri: CALLBACK,
    scope: 'openid',
    state,
    nonce,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    ...more,
  }
  const checks = {
    pkceCodeVerifier: verifier,
    expectedState: state,
    expectedNonce: nonce,
    idTokenExpected: true,
  }
  return { parameters, checks, verifier, state, nonce }
}

describe('openid-client', () => {
  it('takes the response that is posted to it (Form Post Response Mode §2)', async () => {
    const { config } = await discovered()
    const { parameters, checks } = await asking({ response_mode: 'form_post' })
    const posted = await submit(client.buildAuthorizationUrl(config, parameters))
    const tokens = await client.authorizationCodeGrant(config, posted, checks)
    expect(tokens.claims()).toMatchObject({ sub: 'alice' })
  })

  it('takes an error that is posted to it (Form Post Response Mode §2)', async () => {
    const { config } = await discovered()
    const { parameters, checks } = await asking({ response_mode: 'form_post', scope: 'nothing' })
    const posted = await submit(client.buildAuthorizationUrl(config, parameters))
    await expect(client.authorizationCodeGrant(config, posted, checks)).rejects.toMatchObject({
      error: 'invalid_scope',
    })
  })

  it('is told at once who is logged in, by its old ID token, or that it is somebody else (OIDC Core §3.1.2.1)', async () => {
    const { config } = await discovered()
    const first = await asking()
    const callback = await browse(client.buildAuthorizationUrl(config, first.parameters))
    const { id_token = '' } = await client.authorizationCodeGrant(config, callback, first.checks)

    const silent = await asking({ prompt: 'none', id_token_hint: id_token })
    const answer = await browse(client.buildAuthorizationUrl(config, silent.parameters))
    const again = await client.authorizationCodeGrant(config, answer, silent.checks)
    expect(again.claims()).toMatchObject({ sub: 'alice' })

    const bob = await asking({ prompt: 'none', claims: '{"id_token":{"sub":{"value":"bob"}}}' })
    const refused = await browse(client.buildAuthorizationUrl(config, bob.parameters))
    await expect(client.authorizationCodeGrant(config, refused, bob.checks)).rejects.toMatchObject({
      error: 'login_required',
    })
  })

  it('has max_age checked at both ends (OIDC Core §3.1.2.1, §3.1.3.7)', async () => {
    const { config } = await discovered()
    const old = await asking({ max_age: '30' })
    const answer = await browse(client.buildAuthorizationUrl(config, old.parameters))
    await expect(client.authorizationCodeGrant(config, answer, old.checks)).rejects.toMatchObject({
      error: 'interaction_required',
    })
    const recent = await asking({ max_age: '90' })
    const callback = await browse(client.buildAuthorizationUrl(config, recent.parameters))
    const tokens = await client.authorizationCodeGrant(config, callback, { ...recent.checks, maxAge: 90 })
    expect(tokens.claims()).toMatchObject({ sub: 'alice', auth_time: expect.any(Number) })
  })
})

describe('oauth4webapi', () => {
  /** The flow from the parameters of a response to the tokens. */
  async function exchange(
    { as, spa }: Awaited<ReturnType<typeof discovered>>,
    response: URL | URLSearchParams,
    { state, nonce, verifier }: Awaited<ReturnType<typeof asking>>,
  ) {
    const callback = oauth.validateAuthResponse(as, spa, response, state)
    const sent = await oauth.authorizationCodeGrantRequest(
      as,
      spa,
      oauth.None(),
      callback,
      CALLBACK,
      verifier,
      INSECURE,
    )
    return oauth.processAuthorizationCodeResponse(as, spa, sent, {
      expectedNonce: nonce,
      requireIdToken: true,
    })
  }

  it('takes the response that is posted to it (Form Post Response Mode §2)', async () => {
    const issuer = await discovered()
    const request = await asking({ response_mode: 'form_post' })
    const posted = await submit(client.buildAuthorizationUrl(issuer.config, request.parameters))
    const tokens = await exchange(issuer, new URLSearchParams(await posted.text()), request)
    expect(oauth.getValidatedIdTokenClaims(tokens)).toMatchObject({ sub: 'alice' })
  })

  it('is told at once who is logged in, by its old ID token (OIDC Core §3.1.2.1)', async () => {
    const issuer = await discovered()
    const first = await asking()
    const callback = await browse(client.buildAuthorizationUrl(issuer.config, first.parameters))
    const { id_token = '' } = await exchange(issuer, callback, first)

    const silent = await asking({ prompt: 'none', id_token_hint: id_token })
    const answer = await browse(client.buildAuthorizationUrl(issuer.config, silent.parameters))
    const tokens = await exchange(issuer, answer, silent)
    expect(oauth.getValidatedIdTokenClaims(tokens)).toMatchObject({ sub: 'alice' })
  })
})
