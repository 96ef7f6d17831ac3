// Pushed requests (RFC 9126), signed requests (RFC 9101) and signed responses (JARM) with clients that others wrote.
import { type JsonWebKey, webcrypto } from 'node:crypto'
import * as oauth from 'oauth4webapi'
import * as client from 'openid-client'
import { type Client, hashClientSecret } from '../../lib'
import { CALLBACK } from '../support/fixture'
import { browse, KEYS, startIssuer } from './real-issuer'

const INSECURE = { [oauth.allowInsecureRequests]: true }

const ALGORITHMS: Record<string, webcrypto.RsaHashedKeyGenParams | webcrypto.EcKeyGenParams> =
  Object.fromEntries([
    ['ES256', { name: 'ECDSA', namedCurve: 'P-256' }],
    ['ES384', { name: 'ECDSA', namedCurve: 'P-384' }],
    ...['RS256', 'PS256'].map((alg) => [
      alg,
      {
        name: alg === 'RS256' ? 'RSASSA-PKCS1-v1_5' : 'RSA-PSS',
        hash: 'SHA-256',
        modulusLength: 2048,
        publicExponent: new Uint8Array([1, 0, 1]),
      },
    ]),
  ])

/** A client with a key of its own, and a confidential one that must push and sign. */
async function clientsWith(alg: string) {
  const pair = (await webcrypto.subtle.generateKey(ALGORITHMS[alg] as webcrypto.EcKeyGenParams, true, [
    'sign',
    'verify',
  ])) as webcrypto.CryptoKeyPair
  const exported = await webcrypto.subtle.exportKey('jwk', pair.publicKey)
  const jwks = { keys: [{ ...exported, kid: 'one' } as JsonWebKey] }
  const both = { redirect_uris: [CALLBACK], grant_types: ['authorization_code', 'refresh_token'], jwks }
  const clients: Client[] = [
    { ...both, client_id: 'spa', token_endpoint_auth_method: 'none' },
    {
      ...both,
      client_id: 'web',
      client_secret_hash: hashClientSecret('web-secret'),
      require_signed_request_object: true,
      require_pushed_authorization_requests: true,
    },
  ]
  return { clients, key: { key: pair.privateKey as oauth.CryptoKey, kid: 'one' } }
}

const WAYS = ['pushed', 'signed', 'pushed and signed'] as const
const ROWS = WAYS.flatMap((way) => Object.keys(ALGORITHMS).map((alg) => ({ way, alg })))

describe('openid-client', () => {
  /** The whole flow, from a request that goes this way to the tokens. */
  async function signIn(
    config: client.Configuration,
    way: (typeof WAYS)[number] | 'plain',
    key: client.PrivateKey,
    parameters: Record<string, string> = {},
  ) {
    const checks = {
      pkceCodeVerifier: client.randomPKCECodeVerifier(),
      expectedState: client.randomState(),
      expectedNonce: client.randomNonce(),
      idTokenExpected: true,
    }
    const asked = {
      redirect_uri: CALLBACK,
      scope: 'openid offline_access',
      state: checks.expectedState,
      nonce: checks.expectedNonce,
      code_challenge: await client.calculatePKCECodeChallenge(checks.pkceCodeVerifier),
      code_challenge_method: 'S256',
      ...parameters,
    }
    const signed = way.endsWith('signed') && (await client.buildAuthorizationUrlWithJAR(config, asked, key))
    const toPush = signed ? signed.searchParams : asked
    const url = way.startsWith('pushed')
      ? await client.buildAuthorizationUrlWithPAR(config, toPush)
      : signed || client.buildAuthorizationUrl(config, asked)
    const callback = await browse(url)
    return { url, tokens: await client.authorizationCodeGrant(config, callback, checks), callback }
  }

  async function start(
    clientId: string,
    method: client.ClientAuth,
    options: Parameters<typeof startIssuer>[0],
    responseAlg?: string,
  ) {
    const { issuer } = await startIssuer(options)
    const metadata = responseAlg === undefined ? {} : { authorization_signed_response_alg: responseAlg }
    const execute = [client.allowInsecureRequests, client.enableNonRepudiationChecks]
    return client.discovery(new URL(issuer), clientId, metadata, method, { execute })
  }

  it.each(ROWS)('sends a request that is $way, with $alg', async ({ way, alg }) => {
    const { clients, key } = await clientsWith(alg)
    const config = await start('spa', client.None(), { clients })
    const { url, tokens } = await signIn(config, way, key, { max_age: '31536000', claims: '{"userinfo":{}}' })
    const sent = way.startsWith('pushed') ? 'request_uri' : 'request'
    expect([...url.searchParams.keys()]).toEqual(expect.arrayContaining(['client_id', sent]))
    expect(url.searchParams.has('state')).toBe(false)
    expect(tokens.claims()).toMatchObject({ sub: 'alice', aud: 'spa' })
  })

  it('does all that is required of a confidential client, and nothing less is let in', async () => {
    const { clients, key } = await clientsWith('PS256')
    const config = await start('web', client.ClientSecretBasic('web-secret'), { clients })
    expect((await signIn(config, 'pushed and signed', key)).tokens.claims()?.sub).toBe('alice')
    const refused = { error: 'invalid_request' }
    await expect(signIn(config, 'pushed', key)).rejects.toMatchObject({ ...refused, status: 400 })
    await expect(signIn(config, 'signed', key)).rejects.toMatchObject(refused)
    await expect(signIn(config, 'plain', key)).rejects.toMatchObject(refused)
  })

  it('sees that its key is not the registered one (RFC 9101 §6.2)', async () => {
    const [{ clients }, { key }] = [await clientsWith('ES256'), await clientsWith('ES256')]
    const config = await start('spa', client.None(), { clients })
    await expect(signIn(config, 'pushed and signed', key)).rejects.toMatchObject({
      error: 'invalid_request_object',
      status: 400,
    })
  })

  it.each(KEYS.flatMap(({ alg, key }) => WAYS.map((way) => ({ alg, key, way }))))(
    'verifies a signed response with $alg to a request that is $way (JARM §2.4)',
    async ({ alg, key: signingKey, way }) => {
      const { clients, key } = await clientsWith('ES256')
      const config = await start('spa', client.None(), { clients, signingKeys: [signingKey] }, alg)
      client.useJwtResponseMode(config)
      const { callback, tokens } = await signIn(config, way, key)
      expect([...callback.searchParams.keys()]).toEqual(['response'])
      expect(tokens.claims()?.sub).toBe('alice')
    },
  )

  it('verifies a signed error as well (JARM §2.1)', async () => {
    const { clients, key } = await clientsWith('ES256')
    const authorize = () => ({ error: 'access_denied' as const })
    const config = await start('spa', client.None(), { clients, authorize })
    client.useJwtResponseMode(config)
    await expect(signIn(config, 'pushed', key)).rejects.toMatchObject({
      name: 'AuthorizationResponseError',
      error: 'access_denied',
    })
  })
})

describe('oauth4webapi', () => {
  it.each(ROWS.flatMap((row) => ['query', 'jwt'].map((mode) => ({ ...row, mode }))))(
    'sends a request that is $way, with $alg, and is answered by response_mode=$mode',
    async ({ way, alg, mode }) => {
      const { clients, key } = await clientsWith(alg)
      const { issuer } = await startIssuer({ clients })
      const discovered = await oauth.discoveryRequest(new URL(issuer), { ...INSECURE, algorithm: 'oidc' })
      const as = await oauth.processDiscoveryResponse(new URL(issuer), discovered)
      expect(as).toMatchObject({ request_parameter_supported: true, request_uri_parameter_supported: false })
      const self = { client_id: 'spa' }
      const auth = oauth.None()

      const verifier = oauth.generateRandomCodeVerifier()
      const state = oauth.generateRandomState()
      const nonce = oauth.generateRandomNonce()
      let asked: Record<string, string> = {
        client_id: 'spa',
        redirect_uri: CALLBACK,
        response_type: 'code',
        response_mode: mode,
        scope: 'openid',
        state,
        nonce,
        code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      }
      if (way.endsWith('signed'))
        asked = { client_id: 'spa', request: await oauth.issueRequestObject(as, self, asked, key) }
      if (way.startsWith('pushed')) {
        const response = await oauth.pushedAuthorizationRequest(as, self, auth, asked, INSECURE)
        const pushed = await oauth.processPushedAuthorizationResponse(as, self, response)
        expect(pushed).toEqual({ request_uri: expect.any(String), expires_in: 60 })
        asked = { client_id: 'spa', request_uri: pushed.request_uri }
      }
      const callback = await browse(new URL(`${as.authorization_endpoint}?${new URLSearchParams(asked)}`))
      const parameters =
        mode === 'jwt'
          ? await oauth.validateJwtAuthResponse(as, self, callback, state, INSECURE)
          : oauth.validateAuthResponse(as, self, callback, state)

      const response = await oauth.authorizationCodeGrantRequest(
        as,
        self,
        auth,
        parameters,
        CALLBACK,
        verifier,
        INSECURE,
      )
      const tokens = await oauth.processAuthorizationCodeResponse(as, self, response, {
        expectedNonce: nonce,
        requireIdToken: true,
      })
      expect(oauth.getValidatedIdTokenClaims(tokens)).toMatchObject({ sub: 'alice', aud: 'spa' })
    },
  )
})
