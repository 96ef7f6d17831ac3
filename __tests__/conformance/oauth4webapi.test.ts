// oauth4webapi, step by step as its examples have it, over HTTP. Each `process` and `validate` checks a response.
import * as oauth from 'oauth4webapi'
import { CALLBACK } from '../support/fixture'
import { browse, KEYS, ODD_ID, ODD_SECRET, type RealIssuer, startIssuer } from './real-issuer'

const INSECURE = { [oauth.allowInsecureRequests]: true }

const CLIENTS: [clientId: string, auth: oauth.ClientAuth][] = [
  ['spa', oauth.None()],
  ['web', oauth.ClientSecretBasic('web-secret')],
  ['post', oauth.ClientSecretPost('post-secret')],
  [ODD_ID, oauth.ClientSecretBasic(ODD_SECRET)],
]

async function discover(issuer: string, algorithm: 'oidc' | 'oauth2'): Promise<oauth.AuthorizationServer> {
  const url = new URL(issuer)
  const response = await oauth.discoveryRequest(url, { ...INSECURE, algorithm })
  return oauth.processDiscoveryResponse(url, response)
}

class Flow {
  private readonly verifier = oauth.generateRandomCodeVerifier()
  private readonly nonce = oauth.generateRandomNonce()
  private readonly client: oauth.Client

  constructor(
    readonly server: RealIssuer,
    private readonly as: oauth.AuthorizationServer,
    readonly clientId: string,
    private readonly auth: oauth.ClientAuth,
  ) {
    this.client = { client_id: clientId }
  }

  async authorize(): Promise<URLSearchParams> {
    const { as, client, verifier, nonce } = this
    const state = oauth.generateRandomState()
    const url = new URL(as.authorization_endpoint as string)
    url.search = new URLSearchParams({
      client_id: client.client_id,
      redirect_uri: CALLBACK,
      response_type: 'code',
      scope: 'openid offline_access',
      state,
      nonce,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    }).toString()
    return oauth.validateAuthResponse(as, client, await browse(url), state)
  }

  async exchange(callback: URLSearchParams): Promise<oauth.TokenEndpointResponse> {
    const { as, client, auth, verifier, nonce } = this
    const response = await oauth.authorizationCodeGrantRequest(
      as,
      client,
      auth,
      callback,
      CALLBACK,
      verifier,
      INSECURE,
    )
    const tokens = await oauth.processAuthorizationCodeResponse(as, client, response, {
      expectedNonce: nonce,
      requireIdToken: true,
    })
    await oauth.validateApplicationLevelSignature(as, response, INSECURE)
    return tokens
  }

  async refresh(token: string): Promise<oauth.TokenEndpointResponse> {
    const { as, client, auth } = this
    const response = await oauth.refreshTokenGrantRequest(as, client, auth, token, INSECURE)
    const tokens = await oauth.processRefreshTokenResponse(as, client, response)
    await oauth.validateApplicationLevelSignature(as, response, INSECURE)
    return tokens
  }

  async introspect(token: string): Promise<oauth.IntrospectionResponse> {
    const { as, client, auth } = this
    const response = await oauth.introspectionRequest(as, client, auth, token, INSECURE)
    return oauth.processIntrospectionResponse(as, client, response)
  }

  async revoke(token: string): Promise<undefined> {
    const response = await oauth.revocationRequest(this.as, this.client, this.auth, token, INSECURE)
    return oauth.processRevocationResponse(response)
  }

  async userinfo(accessToken: string, sub: string): Promise<oauth.UserInfoResponse> {
    const response = await oauth.userInfoRequest(this.as, this.client, accessToken, INSECURE)
    return oauth.processUserInfoResponse(this.as, this.client, sub, response)
  }

  /** What an API does that verifies tokens offline (RFC 9068 §4). */
  validate(accessToken: string): Promise<oauth.JWTAccessTokenClaims> {
    const request = new Request(this.server.api, { headers: { Authorization: `Bearer ${accessToken}` } })
    return oauth.validateJwtAccessToken(this.as, request, this.server.issuer, INSECURE)
  }
}

describe.each(KEYS)('the whole flow with $alg', ({ alg, key }) => {
  it.each(CLIENTS)('client %s', async (clientId, auth) => {
    const server = await startIssuer({ signingKeys: [key] })
    const as = await discover(server.issuer, 'oidc')
    expect(await discover(server.issuer, 'oauth2')).toEqual(as)
    expect(as.id_token_signing_alg_values_supported).toEqual([alg])
    const flow = new Flow(server, as, clientId, auth)

    const callback = await flow.authorize()
    const tokens = await flow.exchange(callback)
    const claims = oauth.getValidatedIdTokenClaims(tokens)
    expect(claims).toMatchObject({ iss: server.issuer, sub: 'alice', aud: clientId })
    expect(await flow.validate(tokens.access_token)).toMatchObject({ sub: 'alice', client_id: clientId })

    expect(await flow.userinfo(tokens.access_token, 'alice')).toEqual({ sub: 'alice' })
    await expect(flow.userinfo(tokens.access_token, 'bob')).rejects.toThrow(
      'unexpected "response" body "sub"',
    )

    const refreshed = await flow.refresh(tokens.refresh_token as string)
    expect(refreshed.refresh_token === tokens.refresh_token).toBe(clientId !== 'spa')
    expect(oauth.getValidatedIdTokenClaims(refreshed)).toMatchObject({
      sub: 'alice',
      auth_time: claims?.auth_time,
    })
    expect(await flow.validate(refreshed.access_token)).toMatchObject({ sub: 'alice' })

    const current = refreshed.refresh_token as string
    if (clientId === 'spa') {
      await expect(flow.introspect(current)).rejects.toMatchObject({ error: 'invalid_client', status: 401 })
    } else {
      expect(await flow.introspect(refreshed.access_token)).toMatchObject({
        active: true,
        iss: server.issuer,
        sub: 'alice',
        client_id: clientId,
        token_type: 'Bearer',
      })
    }

    await flow.revoke(refreshed.access_token)
    await expect(flow.refresh(current)).rejects.toMatchObject({ error: 'invalid_grant', status: 400 })
    if (clientId !== 'spa') expect(await flow.introspect(current)).toEqual({ active: false })
    await flow.revoke(current)
  })
})

test('a replayed code ends what came of it, and the client is told (RFC 6749 §4.1.2)', async () => {
  const server = await startIssuer({ codeReplaySeconds: 0 })
  const flow = new Flow(server, await discover(server.issuer, 'oidc'), 'spa', oauth.None())
  const callback = await flow.authorize()
  const { refresh_token } = await flow.exchange(callback)

  const refused = { error: 'invalid_grant', status: 400, name: 'ResponseBodyError' }
  await expect(flow.exchange(callback)).rejects.toMatchObject(refused)
  await expect(flow.refresh(refresh_token as string)).rejects.toMatchObject(refused)
})
