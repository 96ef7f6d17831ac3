// A client as the conformance suite is one: what it sends, and what it asserts of every answer.
import { createPublicKey, type JsonWebKey, randomBytes, verify } from 'node:crypto'
import { type APIRequestContext, type APIResponse, request as http } from 'playwright-core'
import type { Provider } from './provider'
import { type Credentials, readPlan, type UserAgent } from './scripted-browser'
import { expectStandardClaims } from './standard-claims'

type Parameters = Readonly<Record<string, string | undefined>>
export type Claims = Record<string, unknown>

export interface Metadata {
  readonly [name: string]: unknown
  readonly issuer: string
  readonly authorization_endpoint: string
  readonly token_endpoint: string
  readonly userinfo_endpoint: string
  readonly jwks_uri: string
}

export interface Tokens {
  readonly access_token: string
  readonly id_token: string
  readonly refresh_token?: string
  readonly expires_in: number
}

export interface Completed {
  readonly code: string
  readonly tokens: Tokens
  readonly idToken: Claims
  readonly idTokenHeader: Claims
  readonly userinfo: Claims
}

export interface RelyingParty {
  readonly redirectUri: string
  readonly http: APIRequestContext
  readonly metadata: Metadata
  /** As it is registered. Another from here on, when it is set. */
  client: Credentials & { readonly method: 'client_secret_basic' | 'client_secret_post' }
  /** Parameters of an authorization request; `undefined` leaves one out. */
  request(changes?: Parameters): Record<string, string>
  /** Sends the browser there. The parameters with which it came back; `undefined` where it did not. */
  authorize(request: Parameters, method?: 'GET' | 'POST'): Promise<Record<string, string> | undefined>
  /** A whole flow with the assertions of every module. */
  complete(
    changes?: Parameters,
    more?: { method?: 'GET' | 'POST'; tokenRequest?: Parameters },
  ): Promise<Completed>
  redeem(code: string, changes?: Parameters): Promise<APIResponse>
  refresh(token: string, changes?: Parameters): Promise<APIResponse>
  readIdToken(token: string, expected: { nonce?: string | undefined }): Promise<[Claims, Claims]>
  close(): Promise<void>
}

export async function openRelyingParty({
  provider,
  agent,
  redirectUri,
  responseMode,
}: {
  provider: Provider
  agent: UserAgent
  redirectUri: string
  responseMode: 'query' | 'form_post'
}): Promise<RelyingParty> {
  const plan = readPlan(provider)
  const api = await http.newContext({ ignoreHTTPSErrors: true })
  const metadata: Metadata = await (await api.get(plan.server.discoveryUrl)).json()
  const keys: JsonWebKey[] = (await (await api.get(metadata.jwks_uri)).json()).keys

  async function tokenRequest(parameters: Parameters): Promise<APIResponse> {
    const { client_id, client_secret, method } = rp.client
    const basic = method === 'client_secret_basic'
    const credentials = Buffer.from(
      `${encodeURIComponent(client_id)}:${encodeURIComponent(client_secret)}`,
    ).toString('base64')
    return api.post(metadata.token_endpoint, {
      headers: basic ? { Authorization: `Basic ${credentials}` } : {},
      form: defined({ ...parameters, ...(!basic && { client_id, client_secret }) }),
    })
  }

  const rp: RelyingParty = {
    redirectUri,
    http: api,
    metadata,
    client: { ...plan.client, method: 'client_secret_basic' },

    request: (changes = {}) =>
      defined({
        client_id: rp.client.client_id,
        redirect_uri: redirectUri,
        scope: 'openid',
        state: random(),
        nonce: random(),
        response_type: 'code',
        response_mode: responseMode === 'form_post' ? 'form_post' : undefined,
        ...changes,
      }),

    authorize(request, method) {
      const url = `${metadata.authorization_endpoint}?${new URLSearchParams(defined(request))}`
      return agent.visit(url, method)
    },

    async complete(changes, { method, tokenRequest: more } = {}) {
      const request = rp.request(changes)
      const response = await rp.authorize(request, method)
      // RFC 9207 §2, RFC 6749 §4.1.2.
      expect(response).toEqual({ code: expect.any(String), state: request.state, iss: metadata.issuer })
      const code = response?.code ?? ''
      const answer = await rp.redeem(code, more)
      expect(answer.status()).toBe(200)
      expect(answer.headers()).toMatchObject({
        'content-type': expect.stringMatching(/^application\/json\b/),
        'cache-control': 'no-store',
      })
      const tokens: Tokens = await answer.json()
      expect(tokens).toMatchObject({
        token_type: 'Bearer',
        access_token: expect.stringMatching(/^[\x20-\x7E]{30,}$/),
        expires_in: expect.any(Number),
      })
      const [idTokenHeader, idToken] = await rp.readIdToken(tokens.id_token, { nonce: request.nonce })
      const userinfoAnswer = await api.get(metadata.userinfo_endpoint, bearer(tokens.access_token))
      expect(userinfoAnswer.status()).toBe(200)
      expect(userinfoAnswer.headers()['content-type']).toMatch(/^application\/json\b/)
      const userinfo: Claims = await userinfoAnswer.json()
      expect(userinfo.sub).toBe(idToken.sub)
      expectStandardClaims(userinfo)
      return { code, tokens, idToken, idTokenHeader, userinfo }
    },

    redeem: (code, changes = {}) =>
      tokenRequest({
        grant_type: 'authorization_code',
        code,
        redirect_uri: redirectUri,
        ...changes,
      }),

    refresh: (refresh_token, changes = {}) =>
      tokenRequest({ grant_type: 'refresh_token', refresh_token, ...changes }),

    /** OpenID Connect Core §2, §3.1.3.7. */
    async readIdToken(token, { nonce }) {
      const [head = '', body = '', signature = ''] = token.split('.')
      const header = JSON.parse(Buffer.from(head, 'base64url').toString())
      const claims = JSON.parse(Buffer.from(body, 'base64url').toString())
      const jwk = keys.find(({ kid }) => kid === header.kid)
      expect(header).toEqual({ alg: 'RS256', typ: 'JWT', kid: expect.any(String) })
      const key = createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' })
      const signed = Buffer.from(`${head}.${body}`)
      expect(verify('sha256', signed, key, Buffer.from(signature, 'base64url'))).toBe(true)

      const now = Date.now() / 1000
      expect(claims.iss).toBe(metadata.issuer)
      expect(claims.aud).toBe(rp.client.client_id)
      expect(claims.nonce).toBe(nonce)
      expect(claims.sub).toMatch(/^[\x21-\x7E]{1,255}$/)
      expect(claims.exp).toBeGreaterThan(now)
      expect(claims.iat).toBeLessThanOrEqual(now)
      expect(claims.iat).toBeGreaterThan(now - 60)
      expect(claims.auth_time).toBeLessThanOrEqual(claims.iat)
      expectStandardClaims(claims)
      return [header, claims]
    },

    close: () => api.dispose(),
  }
  return rp
}

export function bearer(accessToken: string): { headers: Record<string, string> } {
  return { headers: { Authorization: `Bearer ${accessToken}` } }
}

function defined(parameters: Parameters): Record<string, string> {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined)
  return Object.fromEntries(given) as Record<string, string>
}

function random(): string {
  return randomBytes(10).toString('base64url')
}
