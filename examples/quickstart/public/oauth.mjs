// The OAuth client, by oauth4webapi. Nothing here knows how the page looks.
import * as oauth from 'oauth4webapi'
import { activity } from './activity.mjs'

/** The authorization response says no (RFC 6749 §4.1.2.1). */
export class AuthorizationRefused extends Error {
  constructor(code, description) {
    super(`${code}: ${description}`)
    this.code = code
    this.description = description
  }
}

/** An endpoint or the API says no. */
export class RequestRefused extends Error {
  constructor(code, description) {
    super(`${code}: ${description}`)
    this.code = code
    this.description = description
  }
}

const options = {
  [oauth.customFetch]: recordedFetch,
  // For a demo on this very machine only. Any other server is https, and needs no such line.
  [oauth.allowInsecureRequests]: new URL(import.meta.url).protocol === 'http:',
}

/** Reads the server's metadata, and returns what this page can ask of it. */
export async function connect({ issuer, clientId, redirectUri, scope }) {
  const client = { client_id: clientId }
  const issuerUrl = new URL(issuer)
  const server = await metadataOf(issuerUrl)
  const none = oauth.None() // a public client: no secret, PKCE instead

  return {
    server,
    client,
    redirectUri,
    scope,

    async exchange(parameters, codeVerifier, nonce) {
      const response = await oauth.authorizationCodeGrantRequest(
        server,
        client,
        none,
        parameters,
        redirectUri,
        codeVerifier,
        options,
      )
      const expected = { expectedNonce: nonce, requireIdToken: true }
      return tokensFrom(
        response,
        await read(oauth.processAuthorizationCodeResponse(server, client, response, expected)),
      )
    },

    async refresh(tokens) {
      const response = await oauth.refreshTokenGrantRequest(
        server,
        client,
        none,
        tokens.refreshToken,
        options,
      )
      const next = await tokensFrom(
        response,
        await read(oauth.processRefreshTokenResponse(server, client, response)),
      )
      if (next.subject !== tokens.subject) throw new Error('The refreshed tokens belong to somebody else.')
      // A server need not send a new refresh token, nor a new ID token (RFC 6749 §6, OpenID Connect Core §12.2).
      return { ...tokens, ...next, refreshes: tokens.refreshes + 1 }
    },

    async revoke(token) {
      await read(
        oauth.processRevocationResponse(await oauth.revocationRequest(server, client, none, token, options)),
      )
    },

    async callApi(url, accessToken) {
      const response = await read(
        oauth.protectedResourceRequest(accessToken, 'GET', url, undefined, undefined, options),
      )
      if (!response.ok) throw new RequestRefused(String(response.status), await response.text())
      return response.json()
    },
  }

  /** Validates the ID token's signature too, which TLS would spare a client; then keeps what the page shows. */
  async function tokensFrom(response, answer) {
    const claims = oauth.getValidatedIdTokenClaims(answer)
    if (claims) await oauth.validateApplicationLevelSignature(server, response, options)
    return {
      accessToken: answer.access_token,
      receivedAt: Date.now() / 1000,
      refreshes: 0,
      ...(claims && { idToken: answer.id_token, subject: claims.sub }),
      ...(answer.refresh_token && { refreshToken: answer.refresh_token }),
    }
  }
}

let metadata

/** Asked for once per visit. */
async function metadataOf(issuer) {
  metadata ??= await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, options))
  return metadata
}

/** Remembers what the response must fit to, and leaves for the server. */
export async function startSignIn({ server, client, redirectUri, scope }) {
  const flow = {
    codeVerifier: oauth.generateRandomCodeVerifier(),
    state: oauth.generateRandomState(),
    nonce: oauth.generateRandomNonce(),
  }
  sessionStorage.setItem('flow', JSON.stringify(flow))

  const url = new URL(server.authorization_endpoint)
  const parameters = new URLSearchParams({
    client_id: client.client_id,
    redirect_uri: redirectUri,
    response_type: 'code',
    scope,
    state: flow.state,
    nonce: flow.nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(flow.codeVerifier),
    code_challenge_method: 'S256',
  })
  url.search = parameters.toString()
  activity.add({
    method: 'GET',
    path: url.pathname,
    note: 'the browser goes there, with state, nonce and PKCE challenge',
  })
  location.assign(url)
}

/** Validates the response (`state`, and `iss` by RFC 9207), then exchanges the code. */
export async function finishSignIn(connection, responseUrl) {
  const flow = JSON.parse(sessionStorage.getItem('flow') ?? 'null')
  sessionStorage.removeItem('flow')
  if (!flow) throw new Error('No sign-in was begun in this tab. Begin again.')

  const path = responseUrl.pathname
  let parameters
  try {
    parameters = oauth.validateAuthResponse(connection.server, connection.client, responseUrl, flow.state)
  } catch (error) {
    if (!(error instanceof oauth.AuthorizationResponseError)) throw error
    activity.add({
      method: 'GET',
      path,
      failed: true,
      note: `the browser is back, with error=${error.error}`,
    })
    throw new AuthorizationRefused(error.error, error.error_description ?? '')
  }
  activity.add({ method: 'GET', path, note: 'the browser is back, with code, state and iss' })
  return connection.exchange(parameters, flow.codeVerifier, flow.nonce)
}

/** Turns the library's errors into the two that the page tells apart. */
async function read(response) {
  try {
    return await response
  } catch (error) {
    if (error instanceof oauth.ResponseBodyError) {
      throw new RequestRefused(error.error, error.error_description ?? '')
    }
    if (error instanceof oauth.WWWAuthenticateChallengeError) {
      const { error: code, error_description: description } = error.cause[0].parameters
      throw new RequestRefused(code ?? String(error.status), description ?? '')
    }
    throw error
  }
}

/** `fetch`, on the record. */
async function recordedFetch(url, init) {
  const started = performance.now()
  const entry = { method: init.method ?? 'GET', path: new URL(url).pathname, note: whatIsAsked(init) }
  try {
    const response = await fetch(url, init)
    const took = Math.round(performance.now() - started)
    activity.add({ ...entry, status: response.status, failed: !response.ok, took })
    return response
  } catch (error) {
    activity.add({ ...entry, failed: true, note: 'no answer' })
    throw error
  }
}

/** Names of parameters at most: the record never shows a token. */
function whatIsAsked({ body }) {
  if (!(body instanceof URLSearchParams)) return undefined
  return body.has('grant_type') ? `grant_type=${body.get('grant_type')}` : [...body.keys()].join(', ')
}
