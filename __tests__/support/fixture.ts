// A host app with the router mounted, and the steps of a flow through HTTP. A test overrides what matters to it.
import { createHash, generateKeyPairSync, sign as signBytes } from 'node:crypto'
import type { Server } from 'node:http'
import express, { type Express } from 'express'
import express4 from 'express4'
import request, { type Response, type Test } from 'supertest'
import {
  type Approval,
  type AuthorizeFunction,
  type Client,
  createTokenRouter,
  hashClientSecret,
  type InteractiveRequest,
  memoryStore,
  type TokenRouter,
  type TokenRouterEvent,
  type TokenRouterOptions,
  type TokenStore,
} from '../../lib'

export const ISSUER = 'http://localhost:3000/oauth'
export const CALLBACK = 'https://client.example/callback'
export const SECRET = 'a-secret-of-at-least-thirty-two-bytes!'

export const VERIFIER = 'the-verifier-of-these-tests-is-43-characters-long'
export const CHALLENGE = createHash('sha256').update(VERIFIER).digest('base64url')

const both = { redirect_uris: [CALLBACK], grant_types: ['authorization_code', 'refresh_token'] }

/** `spa` is public, `web` and `post` are confidential, `other` is somebody else's, `api` only asks about tokens. */
export const CLIENTS: readonly Client[] = [
  { ...both, client_id: 'spa', token_endpoint_auth_method: 'none' },
  { ...both, client_id: 'web', client_secret_hash: hashClientSecret('web-secret') },
  {
    ...both,
    client_id: 'post',
    token_endpoint_auth_method: 'client_secret_post',
    client_secret_hash: hashClientSecret('post-secret'),
  },
  { ...both, client_id: 'other', token_endpoint_auth_method: 'none' },
  { client_id: 'api', grant_types: [], client_secret_hash: hashClientSecret('api-secret') },
]

export const ES256 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey

export const APPROVAL: Approval = { subject: 'alice', authTime: new Date('2026-01-02T03:04:05Z') }

export interface FixtureOptions extends Partial<TokenRouterOptions> {
  /** What `authorize` answers, where no function of the test's own is given. */
  approval?: Approval
  expressMajor?: 4 | 5
  /** What the host app does before the router. */
  before?: (app: Express) => void
}

export interface Fixture {
  readonly app: Express
  readonly oauth: TokenRouter
  readonly events: TokenRouterEvent[]
  eventsOf<T extends TokenRouterEvent['type']>(type: T): Extract<TokenRouterEvent, { type: T }>[]
  get(path: string): Test
  /** Posts a form to an endpoint below the mount. */
  post(path: string, form: Record<string, string> | string): Test
  /** GET /authorize with a good request of `spa`, but for what is overridden; `undefined` leaves a parameter out. */
  authorize(overrides?: Record<string, string | undefined>): Test
  /** The code of such a request. */
  code(overrides?: Record<string, string | undefined>): Promise<string>
  /** POST /token with a code, as the client that it was issued to. */
  exchange(code: string, overrides?: Record<string, string | undefined>): Test
  /** POST /token with a refresh token. */
  refresh(refreshToken: string, overrides?: Record<string, string | undefined>): Test
  /** The whole flow up to the tokens of `spa`, with scope `openid offline_access`. */
  tokens(overrides?: Record<string, string | undefined>): Promise<Tokens>
}

export interface Tokens {
  access_token: string
  refresh_token: string
  id_token: string
  expires_in: number
  scope: string
  token_type: string
}

const opened: TokenRouter[] = []
const listening: Server[] = []

/** Closed by itself after each test file; the limiter is off unless a test asks for it. */
export function fixture({
  approval = APPROVAL,
  expressMajor = 5,
  before,
  ...overrides
}: FixtureOptions = {}): Fixture {
  const events: TokenRouterEvent[] = []
  const authorize: AuthorizeFunction = () => approval
  const oauth = createTokenRouter({
    issuer: ISSUER,
    secret: SECRET,
    signingKeys: [ES256],
    clients: CLIENTS,
    findAccount: () => ({}),
    authorize,
    store: memoryStore(),
    rateLimit: false,
    onEvent: (event) => events.push(event),
    ...overrides,
  })
  opened.push(oauth)

  const app: Express = expressMajor === 4 ? (express4 as unknown as typeof express)() : express()
  before?.(app)
  app.use('/oauth', oauth)
  app.use(oauth.wellKnown)

  /** A step that a test builds on. What is behind a 503, the events alone tell. */
  function failed(what: string, status: number, answer: string): Error {
    const trouble = events.findLast(
      (event) => event.type === 'store.trouble' || event.type === 'host.trouble',
    )
    const after = trouble ? `, after ${trouble.type} in ${trouble.operation}` : ''
    return new Error(`${what}: ${status} ${answer}${after}`, { cause: trouble?.cause })
  }

  const self: Fixture = {
    app,
    oauth,
    events,
    eventsOf: (type) =>
      events.filter(
        (event): event is Extract<TokenRouterEvent, { type: typeof type }> => event.type === type,
      ),
    get: (path) => request(app).get(path),
    post: (path, form) =>
      request(app)
        .post(`/oauth${path}`)
        .type('form')
        .send(typeof form === 'string' ? form : new URLSearchParams(form).toString()),
    authorize: (parameters = {}) =>
      request(app)
        .get('/oauth/authorize')
        .query(
          defined({
            response_type: 'code',
            client_id: 'spa',
            redirect_uri: CALLBACK,
            scope: 'openid offline_access',
            state: 'a state',
            nonce: 'a-nonce',
            code_challenge: CHALLENGE,
            code_challenge_method: 'S256',
            ...parameters,
          }),
        ),
    async code(parameters) {
      const { headers, status, text } = await self.authorize(parameters)
      const code = headers.location && new URL(headers.location).searchParams.get('code')
      if (!code) throw failed('no code', status, headers.location ?? text)
      return code
    },
    exchange: (code, parameters = {}) =>
      self.post(
        '/token',
        defined({
          grant_type: 'authorization_code',
          client_id: 'spa',
          code,
          redirect_uri: CALLBACK,
          code_verifier: VERIFIER,
          ...parameters,
        }),
      ),
    refresh: (token, parameters = {}) =>
      self.post(
        '/token',
        defined({ grant_type: 'refresh_token', client_id: 'spa', refresh_token: token, ...parameters }),
      ),
    async tokens(parameters) {
      const code = await self.code(parameters)
      const clientId = parameters?.client_id
      const exchanged =
        clientId === 'web'
          ? await self.exchange(code, { client_id: undefined }).auth('web', 'web-secret')
          : await self.exchange(code, {
              ...(clientId !== undefined && { client_id: clientId }),
              ...(clientId === 'post' && { client_secret: 'post-secret' }),
            })
      if (exchanged.status !== 200) throw failed('no tokens', exchanged.status, exchanged.text)
      return exchanged.body as Tokens
    },
  }
  return self
}

/** An authorization request, as an authorize page of the host's own reads it. */
export function readRequest(
  oauth: TokenRouter,
  query: ConstructorParameters<typeof URLSearchParams>[0],
): Promise<InteractiveRequest> {
  return new Promise((resolve, reject) => {
    const app = express()
    app.use(async (req, res) => {
      await oauth.readAuthorizationRequest(req, res).then(resolve, reject)
      res.end()
    })
    request(app)
      .get(`/authorize?${new URLSearchParams(query)}`)
      .catch(reject)
  })
}

/** Where a redirect leads, as its parameters. */
export function redirected({ headers }: Response): Record<string, string> {
  return Object.fromEntries(new URL(headers.location as string).searchParams)
}

/** The claims of a JWT, unverified: tests that are about the signature verify it. */
export function claimsOf(jwt: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(jwt.split('.')[1] as string, 'base64url').toString())
}

export function headerOf(jwt: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(jwt.split('.')[0] as string, 'base64url').toString())
}

/** The headers that every JSON answer of a token endpoint has (RFC 6749 §5.1). */
export function expectUncached({ headers }: Response): void {
  expect(headers['cache-control']).toBe('no-store')
  expect(headers.pragma).toBe('no-cache')
  expect(headers['content-type']).toBe('application/json; charset=utf-8')
}

/** The whole of a refusal: status, body and nothing else in it, and headers (RFC 6749 §5.2). */
export function expectRefusal(response: Response, status: number, error: string): void {
  expect({ status: response.status, ...response.body }).toEqual({
    status,
    error,
    error_description: expect.stringMatching(/^[\x20\x21\x23-\x5B\x5D-\x7E]+$/),
  })
  expectUncached(response)
}

/** Something of ours is down, so the client keeps its tokens and tries again (RFC 9110 §10.2.3). */
export function expectUnavailable(response: Response): void {
  expectRefusal(response, 503, 'temporarily_unavailable')
  expect(response.headers['retry-after']).toMatch(/^[1-9]\d*$/)
}

/** The user is told, and the browser stays: there is no client to tell (RFC 6749 §4.1.2.1). */
export function expectErrorPage(response: Response, status = 400): void {
  expect(response.status).toBe(status)
  expect(response.headers).toMatchObject({
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  })
  expect(response.headers).not.toHaveProperty('location')
  expect(response.text).toMatch(/^<!doctype html>/)
}

/** The client is told of an error, by way of the browser (RFC 6749 §4.1.2.1, RFC 9207 §2). */
export function expectToldToClient(response: Response, error: string): void {
  expect(response.status).toBe(303)
  expect(response.headers.location?.startsWith(`${CALLBACK}?`)).toBe(true)
  expect(redirected(response)).toEqual({
    error,
    error_description: expect.stringMatching(/^[\x20\x21\x23-\x5B\x5D-\x7E]+$/),
    state: 'a state',
    iss: ISSUER,
  })
}

/** A JWS of these parts, however wrong they are; signed with the key of these tests unless told. */
export function jws(
  header: object,
  claims: object,
  sign: (input: Buffer) => Buffer = (input) =>
    signBytes('sha256', input, { key: ES256, dsaEncoding: 'ieee-p1363' }),
): string {
  const input = [header, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  return `${input}.${sign(Buffer.from(input)).toString('base64url')}`
}

/** The same store, which notes the name of each method that is called. */
export function watched(store: TokenStore, calls: string[]): TokenStore {
  return new Proxy(store, {
    get:
      (target, name: keyof TokenStore) =>
      (...given: unknown[]) => {
        calls.push(name)
        return Reflect.apply(target[name], target, given)
      },
  })
}

/** Listens on a free port, for clients that need a real address. */
export function listen(app: Express): Promise<{ server: Server; port: number }> {
  return new Promise((resolve) => {
    const server = app.listen(0, '127.0.0.1', () =>
      resolve({ server, port: (server.address() as { port: number }).port }),
    )
  })
}

/** `fetch` for clients that others wrote: what they send to the issuer reaches this app. */
export async function reach(
  app: Express,
): Promise<(url: string, init?: object) => Promise<globalThis.Response>> {
  const { server, port } = await listen(app)
  listening.push(server)
  return (url, init) => fetch(url.replace(new URL(ISSUER).origin, `http://127.0.0.1:${port}`), init)
}

function defined(parameters: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(parameters).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
}

afterAll(async () => {
  for (const server of listening.splice(0)) {
    server.close()
    server.closeAllConnections()
  }
  await Promise.all(opened.splice(0).map((oauth) => oauth.close()))
})
