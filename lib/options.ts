// What a host can say when it makes a router. Each default is written beside its option, and all of it is checked
// at creation: a misuse must not wait for the first user to be found.
import type { Cluster, Redis } from 'ioredis'
import type { ClientAuthMethod } from './client-auth/client-auth-method'
import { clientSecretBasic } from './client-auth/client-secret-basic'
import { clientSecretPost } from './client-auth/client-secret-post'
import { none } from './client-auth/none'
import { type Client, type FindClient, isPublic } from './clients/client'
import { isClientSecretHash } from './clients/client-secret'
import type { AuthorizeFunction } from './endpoints/authorization'
import { ConfigError } from './errors'
import type { OnEvent } from './events'
import type { FindAccount } from './grants/approval'
import { authorizationCode } from './grants/authorization-code'
import type { Lifetimes } from './grants/grant'
import type { GrantType } from './grants/grant-type'
import { refreshToken } from './grants/refresh-token'
import type { CorsOption } from './http/cors'
import type { RateLimitOptions } from './http/rate-limit'
import { STORE_METHODS } from './stores/guarded-store'
import type { TokenStore } from './stores/token-store'
import type { SigningKeyInput } from './tokens/signing-keys'

/** Which clients get a new refresh token at each refresh; see {@link TokenRouterOptions.rotate}. */
export type Rotate = 'always' | 'public' | 'never' | ((client: Client) => boolean)

export interface TokenRouterOptions {
  /**
   * The URL that names this server in every token (RFC 8414 §2): https, or http on a loopback host; no query, no
   * fragment. Its path is where the router is mounted.
   */
  readonly issuer: string
  /**
   * 32 bytes or more of randomness, for example from `openssl rand -base64 32`. Of several the first signs and all
   * verify: change a secret as `[old, new]`, then `[new, old]`, then `[new]`. Losing it ends every grant.
   */
  readonly secret: string | Buffer | readonly (string | Buffer)[]
  /** Private keys as PEM, JWK, KeyObject or {@link Signer}. All are published, the first signs. */
  readonly signingKeys: readonly SigningKeyInput[]
  /** The registered clients, or a function that finds one. */
  readonly clients: readonly Client[] | FindClient
  /** Asked before tokens are issued; `undefined` means that this user may have none any more. */
  readonly findAccount: FindAccount
  /** The host's login and consent. Given, it mounts the authorization endpoint at `/authorize`. */
  readonly authorize?: AuthorizeFunction | undefined
  /** The URL of an authorize page of the host's own, which calls `issueCode`; for the metadata. */
  readonly authorizationEndpoint?: string | undefined
  /**
   * Where grants live: a store, or the URL or ioredis client of a Redis; `redis://127.0.0.1:6379` unless told.
   * `memoryStore()` for a first run, for tests and for a single process.
   */
  readonly store?: TokenStore | Redis | Cluster | string | undefined
  /** `aud` of access tokens (RFC 9068 §2.2): the API that they are for; the issuer unless told. */
  readonly audience?: string | undefined
  /** The scope that the server knows; `['openid', 'offline_access']` unless told. */
  readonly scopes?: readonly string[] | undefined
  /**
   * `public`: confidential OpenID Connect clients may rely on `nonce` instead (RFC 9700 §2.1.1); `always` unless told.
   */
  readonly pkce?: 'always' | 'public' | undefined
  /**
   * Whose refresh tokens rotate (RFC 9700 §4.14.2): `public` clients unless told. Any other keeps its refresh token
   * until it expires.
   */
  readonly rotate?: Rotate | undefined
  /**
   * Seconds for which a superseded refresh token still gets the current one, so that a lost answer or two tabs log
   * nobody out; 60 unless told, 0 is strict.
   */
  readonly overlap?: number | undefined
  /** Seconds within which a spent code is only refused; afterwards its grant ends as well. 5 unless told. */
  readonly codeReplaySeconds?: number | undefined
  /** In seconds: code 60, access token 600, ID token 600, refresh idle 30 days, refresh absolute 90 days. */
  readonly lifetimes?: Partial<Lifetimes> | undefined
  /** Grant types of the host's own, beside the authorization code and the refresh token. */
  readonly grants?: readonly GrantType[] | undefined
  /** Client-authentication methods of the host's own, beside Basic, post and none. */
  readonly clientAuthMethods?: readonly ClientAuthMethod[] | undefined
  /** Told of all that happens, with never a secret in it. Unless told, troubles are written to standard error. */
  readonly onEvent?: OnEvent | undefined
  /** Limits on failures, by address and by client; `false` turns them off. */
  readonly rateLimit?: RateLimitOptions | false | undefined
  /** Which origins may call from a browser, never with credentials; all unless told. */
  readonly cors?: CorsOption | undefined
  /** The path under which the app sees the router, where a proxy strips a part; the issuer's path unless told. */
  readonly mountPath?: string | undefined
  /** Seconds that a store may take before the answer is 503; 0.7 unless told: two calls stay within 1.5 s. */
  readonly storeTimeoutSeconds?: number | undefined
  /** The time in milliseconds since the epoch, for tests; `Date.now` unless told. Stores have a clock of their own. */
  readonly now?: (() => number) | undefined
}

/** The options with their defaults, checked. */
export interface ResolvedOptions {
  readonly issuer: string
  readonly secrets: readonly Buffer[]
  readonly signingKeys: readonly SigningKeyInput[]
  readonly clients: readonly Client[] | FindClient
  readonly findAccount: FindAccount
  readonly authorize: AuthorizeFunction | undefined
  readonly authorizationEndpoint: string | undefined
  readonly store: TokenStore | Redis | Cluster | string | undefined
  readonly audience: string
  readonly scopes: readonly string[]
  readonly pkce: 'always' | 'public'
  readonly rotate: Rotate
  readonly overlap: number
  readonly codeReplaySeconds: number
  readonly lifetimes: Lifetimes
  readonly grantTypes: readonly GrantType[]
  readonly clientAuthMethods: readonly ClientAuthMethod[]
  readonly onEvent: OnEvent | undefined
  readonly rateLimit: RateLimitOptions | false | undefined
  readonly cors: CorsOption
  readonly mountPath: string
  readonly storeTimeoutSeconds: number
  readonly now: () => number
}

const ROTATIONS = ['always', 'public', 'never'] as const

const DAY = 24 * 60 * 60

const LIFETIMES: Lifetimes = {
  codeSeconds: 60,
  accessTokenSeconds: 600,
  idTokenSeconds: 600,
  refreshIdleSeconds: 30 * DAY,
  refreshAbsoluteSeconds: 90 * DAY,
}

/** Every option there is. The compiler keeps the list complete. */
const NAMES: Readonly<Record<keyof TokenRouterOptions, true>> = {
  issuer: true,
  secret: true,
  signingKeys: true,
  clients: true,
  findAccount: true,
  authorize: true,
  authorizationEndpoint: true,
  store: true,
  audience: true,
  scopes: true,
  pkce: true,
  rotate: true,
  overlap: true,
  codeReplaySeconds: true,
  lifetimes: true,
  grants: true,
  clientAuthMethods: true,
  onEvent: true,
  rateLimit: true,
  cors: true,
  mountPath: true,
  storeTimeoutSeconds: true,
  now: true,
}

/** @throws {ConfigError} naming the option and the remedy. */
export function resolveOptions(options: TokenRouterOptions): ResolvedOptions {
  if (typeof options !== 'object' || options === null) {
    throw new ConfigError(
      'no_options',
      'options',
      'is not an object.',
      'Call createTokenRouter({ issuer, secret, signingKeys, clients, findAccount }).',
    )
  }
  refuseUnknownNames('', options, NAMES)
  const issuer = checkIssuer(options.issuer)
  const grantTypes = [authorizationCode, refreshToken, ...list('grants', options.grants ?? [])]
  const clientAuthMethods = [
    clientSecretBasic,
    clientSecretPost,
    none,
    ...list('clientAuthMethods', options.clientAuthMethods ?? []),
  ]
  grantTypes.slice(2).forEach(checkGrantType)
  clientAuthMethods.slice(3).forEach(checkClientAuthMethod)
  checkDistinct('grants', grantTypes)
  checkDistinct('clientAuthMethods', clientAuthMethods)

  return {
    issuer,
    secrets: checkSecrets(options.secret),
    signingKeys: checkSigningKeys(options.signingKeys),
    clients: checkClients(options.clients, clientAuthMethods),
    findAccount: required(
      'findAccount',
      options.findAccount,
      'Give (subject) => account; undefined means that the user may have no tokens.',
    ),
    authorize: optionalFunction('authorize', options.authorize),
    authorizationEndpoint: checkAuthorizationEndpoint(options),
    store: checkStore(options.store),
    audience: text('audience', options.audience ?? issuer),
    scopes: list('scopes', options.scopes ?? ['openid', 'offline_access']).map((word, i) =>
      checkScopeWord(word, i),
    ),
    pkce: oneOf('pkce', options.pkce ?? 'always', ['always', 'public']),
    rotate:
      typeof options.rotate === 'function'
        ? options.rotate
        : oneOf('rotate', options.rotate ?? 'public', ROTATIONS),
    overlap: seconds('overlap', options.overlap ?? 60, 0),
    codeReplaySeconds: seconds('codeReplaySeconds', options.codeReplaySeconds ?? 5, 0),
    lifetimes: checkLifetimes(options.lifetimes ?? {}),
    grantTypes,
    clientAuthMethods,
    onEvent: optionalFunction('onEvent', options.onEvent),
    rateLimit: checkRateLimit(options.rateLimit),
    cors: checkCors(options.cors ?? true),
    mountPath: checkMountPath(options.mountPath ?? new URL(issuer).pathname),
    storeTimeoutSeconds: seconds('storeTimeoutSeconds', options.storeTimeoutSeconds ?? 0.7, 0.001),
    now: optionalFunction('now', options.now) ?? Date.now,
  }
}

function checkIssuer(issuer: unknown): string {
  const fault = (what: string) =>
    new ConfigError(
      'bad_issuer',
      'issuer',
      what,
      'Use the https URL at which clients reach the router, such as https://app.example.com/oauth.',
    )
  if (typeof issuer !== 'string' || !URL.canParse(issuer)) throw fault('is not a URL.')
  const url = new URL(issuer)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url.hostname))) {
    throw fault('is neither https nor http on a loopback host.')
  }
  if (/[?#]/.test(issuer) || url.username !== '')
    throw fault('has a query, a fragment or a user (RFC 8414 §2).')
  // Clients compare issuers character by character: what a parser would respell, one of them will.
  if (url.href !== issuer && url.href !== `${issuer}/`) throw fault(`is not in its normal form, ${url.href}.`)
  return issuer
}

function isLoopback(hostname: string): boolean {
  return (
    hostname === 'localhost' ||
    hostname.endsWith('.localhost') ||
    hostname === '[::1]' ||
    /^127(?:\.\d{1,3}){3}$/.test(hostname)
  )
}

function checkSecrets(secret: unknown): readonly Buffer[] {
  const secrets = Array.isArray(secret) ? secret : [secret]
  const remedy = 'Make one with: openssl rand -base64 32. Keep it: losing it ends every grant.'
  if (secrets.length === 0) throw new ConfigError('missing_secret', 'secret', 'is an empty list.', remedy)
  return secrets.map((one: unknown, i) => {
    const option = Array.isArray(secret) ? `secret[${i}]` : 'secret'
    if (one === undefined || one === '')
      throw new ConfigError('missing_secret', option, 'is missing.', remedy)
    if (typeof one !== 'string' && !(one instanceof Uint8Array))
      throw new ConfigError('missing_secret', option, 'is neither text nor a Buffer.', remedy)
    const bytes = Buffer.from(one as string)
    if (bytes.length < 32)
      throw new ConfigError('weak_secret', option, `has ${bytes.length} bytes; it takes 32 or more.`, remedy)
    return bytes
  })
}

function checkSigningKeys(keys: unknown): readonly SigningKeyInput[] {
  if (
    Array.isArray(keys) &&
    keys.length > 0 &&
    keys.every((key) => key !== undefined && key !== null && key !== '')
  )
    return keys
  throw new ConfigError(
    'missing_signing_key',
    'signingKeys',
    'is not a list of keys.',
    'Give [pem], for example from: openssl ecparam -name prime256v1 -genkey -noout.',
  )
}

function checkClients(
  clients: unknown,
  methods: readonly ClientAuthMethod[],
): readonly Client[] | FindClient {
  if (typeof clients === 'function') return clients as FindClient
  if (!Array.isArray(clients)) {
    throw new ConfigError(
      'bad_clients',
      'clients',
      'is neither a list nor a function.',
      'Give the registered clients, or (clientId) => client.',
    )
  }
  for (const [i, client] of clients.entries()) checkClient(client, `clients[${i}]`, methods)
  const ids = clients.map(({ client_id }: Client) => client_id)
  if (new Set(ids).size < ids.length)
    throw new ConfigError(
      'duplicate_client',
      'clients',
      'has the same client_id twice.',
      'Register each client once.',
    )
  return clients as Client[]
}

function checkClient(client: Client, option: string, methods: readonly ClientAuthMethod[]): void {
  if (
    typeof client !== 'object' ||
    client === null ||
    typeof client.client_id !== 'string' ||
    !/^[\x20-\x7E]{1,255}$/.test(client.client_id)
  ) {
    throw new ConfigError(
      'bad_client_id',
      `${option}.client_id`,
      'is not a text of printable ASCII characters.',
      'Give each client an id (RFC 6749 App. A.1).',
    )
  }
  const method = client.token_endpoint_auth_method ?? 'client_secret_basic'
  if (!methods.some(({ name }) => name === method)) {
    throw new ConfigError(
      'unknown_auth_method',
      `${option}.token_endpoint_auth_method`,
      `"${method}" is not known here.`,
      `Use ${methods.map(({ name }) => name).join(', ')}, or add a method in clientAuthMethods.`,
    )
  }
  const hashes = [client.client_secret_hash ?? []].flat()
  if (!hashes.every(isClientSecretHash)) {
    throw new ConfigError(
      'bad_client_secret_hash',
      `${option}.client_secret_hash`,
      'is not a hash of this library.',
      'Make it with createClientSecret() or hashClientSecret(secret).',
    )
  }
  if (method.startsWith('client_secret_') && hashes.length === 0) {
    throw new ConfigError(
      'missing_client_secret',
      `${option}.client_secret_hash`,
      `is missing, and ${method} needs one.`,
      "Make it with createClientSecret(), or set token_endpoint_auth_method: 'none' for a public client.",
    )
  }
  if (isPublic(client) && hashes.length > 0) {
    throw new ConfigError(
      'public_client_with_secret',
      `${option}.client_secret_hash`,
      'is set on a public client.',
      'Remove it, or choose another token_endpoint_auth_method.',
    )
  }
  for (const [j, uri] of (client.redirect_uris ?? []).entries())
    checkRedirectUri(uri, `${option}.redirect_uris[${j}]`)
}

/** RFC 6749 §3.1.2: absolute and without a fragment. Schemes that a browser runs are no place to send a code to. */
function checkRedirectUri(uri: unknown, option: string): void {
  if (
    typeof uri === 'string' &&
    /^[\x21-\x7E]+$/.test(uri) &&
    URL.canParse(uri) &&
    !uri.includes('#') &&
    !/^(?:javascript|data|vbscript|blob|file):/i.test(uri)
  )
    return
  throw new ConfigError(
    'bad_redirect_uri',
    option,
    'is not an absolute URL without a fragment.',
    'Register the exact URL that the client sends (RFC 9700 §2.1).',
  )
}

function checkAuthorizationEndpoint({
  authorize,
  authorizationEndpoint,
}: TokenRouterOptions): string | undefined {
  if (authorizationEndpoint === undefined) return undefined
  if (authorize !== undefined) {
    throw new ConfigError(
      'two_authorization_endpoints',
      'authorizationEndpoint',
      'is given together with authorize.',
      'Leave one of them out: authorize mounts the endpoint of the router.',
    )
  }
  if (typeof authorizationEndpoint === 'string' && URL.canParse(authorizationEndpoint))
    return authorizationEndpoint
  throw new ConfigError(
    'bad_authorization_endpoint',
    'authorizationEndpoint',
    'is not a URL.',
    'Give the full URL of your authorize page.',
  )
}

/** A store of the host's own has all methods; a URL or an ioredis client is for the Redis store. */
function checkStore(store: unknown): ResolvedOptions['store'] {
  if (store === undefined || typeof store === 'string') {
    if (store === undefined || /^(?:rediss?:|unix:|\/)/.test(store)) return store
    throw new ConfigError(
      'bad_store_url',
      'store',
      'is a text but no Redis URL.',
      'Give redis://host:6379, an ioredis client, or a store such as memoryStore().',
    )
  }
  if (typeof store !== 'object' || store === null) {
    throw new ConfigError(
      'bad_store',
      'store',
      'is not a store.',
      'Give a Redis URL, an ioredis client, or a store such as memoryStore().',
    )
  }
  if (isRedisClient(store)) return store
  const missing = STORE_METHODS.filter(
    (name) => typeof (store as Record<string, unknown>)[name] !== 'function',
  )
  if (missing.length === 0) return store as TokenStore
  throw new ConfigError(
    'incomplete_store',
    'store',
    `has no method ${missing.join(', ')}.`,
    'Implement all of TokenStore; the suite in express-token-endpoint/testing checks them.',
  )
}

/** By its methods, not its class: the host may have another copy of ioredis than ours. */
export function isRedisClient(store: object): store is Redis | Cluster {
  return 'defineCommand' in store && 'duplicate' in store && 'status' in store
}

function checkLifetimes(lifetimes: Partial<Lifetimes>): Lifetimes {
  refuseUnknownNames('lifetimes.', lifetimes, LIFETIMES)
  const given = Object.entries(lifetimes).filter(([, value]) => value !== undefined)
  for (const [name, value] of given) seconds(`lifetimes.${name}`, value, 1)
  return { ...LIFETIMES, ...Object.fromEntries(given) }
}

function checkRateLimit(rateLimit: unknown): RateLimitOptions | false | undefined {
  if (rateLimit === undefined || rateLimit === false) return rateLimit
  if (typeof rateLimit !== 'object' || rateLimit === null) {
    throw new ConfigError(
      'bad_rate_limit',
      'rateLimit',
      'is neither an object nor false.',
      'Leave it out for the defaults, or set false to turn it off.',
    )
  }
  const options = rateLimit as RateLimitOptions
  const names: Readonly<Record<keyof RateLimitOptions, true>> = {
    windowSeconds: true,
    failuresPerAddress: true,
    failuresPerClient: true,
    store: true,
  }
  refuseUnknownNames('rateLimit.', options, names)
  seconds('rateLimit.windowSeconds', options.windowSeconds ?? 60, 1)
  seconds('rateLimit.failuresPerAddress', options.failuresPerAddress ?? 1, 1)
  seconds('rateLimit.failuresPerClient', options.failuresPerClient ?? 1, 1)
  optionalFunction('rateLimit.store', options.store)
  return options
}

function checkCors(cors: unknown): CorsOption {
  if (typeof cors === 'boolean') return cors
  if (
    Array.isArray(cors) &&
    cors.every(
      (origin) => typeof origin === 'string' && URL.canParse(origin) && new URL(origin).origin === origin,
    )
  )
    return cors
  throw new ConfigError(
    'bad_cors',
    'cors',
    'is neither a boolean nor a list of origins.',
    'Give origins as browsers send them, such as https://spa.example.com.',
  )
}

function checkMountPath(path: unknown): string {
  if (typeof path === 'string' && path.startsWith('/')) return path.replace(/\/+$/, '')
  throw new ConfigError(
    'bad_mount_path',
    'mountPath',
    'does not begin with a slash.',
    "Give the path of app.use(path, router), such as '/oauth'.",
  )
}

function checkGrantType(grant: GrantType, i: number): void {
  if (
    typeof grant?.name === 'string' &&
    Array.isArray(grant.parameters) &&
    typeof grant.handle === 'function'
  )
    return
  throw new ConfigError(
    'bad_grant_type',
    `grants[${i}]`,
    'is not a grant type.',
    'Give { name, parameters, handle }.',
  )
}

function checkClientAuthMethod(method: ClientAuthMethod, i: number): void {
  if (
    typeof method?.name === 'string' &&
    typeof method.find === 'function' &&
    typeof method.verify === 'function'
  )
    return
  throw new ConfigError(
    'bad_client_auth_method',
    `clientAuthMethods[${i}]`,
    'is not a client-authentication method.',
    'Give { name, find, verify }.',
  )
}

function checkDistinct(option: string, named: readonly { readonly name: string }[]): void {
  const names = named.map(({ name }) => name)
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined)
    throw new ConfigError('duplicate_name', option, `"${twice}" is there already.`, 'Give each its own name.')
}

function checkScopeWord(word: unknown, i: number): string {
  if (typeof word === 'string' && /^[\x21\x23-\x5B\x5D-\x7E]+$/.test(word)) return word
  throw new ConfigError(
    'bad_scope',
    `scopes[${i}]`,
    'is not a scope word.',
    'Use printable ASCII without spaces, quotes and backslashes (RFC 6749 §3.3).',
  )
}

function refuseUnknownNames(path: string, given: object, known: object): void {
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(known, name))
  if (unknown === undefined) return
  throw new ConfigError(
    'unknown_option',
    path + unknown,
    'is not an option.',
    `Use one of ${Object.keys(known).join(', ')}.`,
  )
}

function required<F>(option: string, value: F, remedy: string): F {
  if (typeof value === 'function') return value
  throw new ConfigError(
    'missing_function',
    option,
    value === undefined ? 'is missing.' : 'is not a function.',
    remedy,
  )
}

function optionalFunction<F>(option: string, value: F | undefined): F | undefined {
  if (value === undefined || typeof value === 'function') return value
  throw new ConfigError('not_a_function', option, 'is not a function.', 'Give a function, or leave it out.')
}

function seconds(option: string, value: unknown, least: number): number {
  if (typeof value === 'number' && Number.isFinite(value) && value >= least) return value
  throw new ConfigError('bad_number', option, `is not a number of ${least} or more.`, 'Times are in seconds.')
}

function text(option: string, value: unknown): string {
  if (typeof value === 'string' && value !== '') return value
  throw new ConfigError('bad_text', option, 'is not a text.', 'Give a text, or leave it out.')
}

function list<T>(option: string, value: readonly T[]): readonly T[] {
  if (Array.isArray(value)) return value
  throw new ConfigError('not_a_list', option, 'is not a list.', 'Give a list, or leave it out.')
}

function oneOf<T extends string>(option: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === value)
  if (found !== undefined) return found
  throw new ConfigError(
    'unknown_value',
    option,
    `"${value}" is not one of its values.`,
    `Use ${allowed.join(', ')}.`,
  )
}
