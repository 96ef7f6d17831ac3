// What a host can say when it makes a router. All of it is checked at creation: a misuse must not wait for the first
// user to be found.
import type { Cluster, Redis } from 'ioredis'
import type { PkceRule } from './authorization/authorization-request'
import type { ClientAuthMethod } from './client-auth/client-auth-method'
import { clientSecretBasic } from './client-auth/client-secret-basic'
import { clientSecretPost } from './client-auth/client-secret-post'
import { none } from './client-auth/none'
import { checkClients } from './clients/check-clients'
import type { Client, FindClient } from './clients/client'
import {
  flag,
  list,
  oneOf,
  optionalFunction,
  refuseNulls,
  refuseUnknownNames,
  required,
  seconds,
  text,
} from './config-values'
import type { AuthorizeFunction } from './endpoints/authorization'
import type { ErrorPage } from './endpoints/error-page'
import type { LogoutFunction } from './endpoints/logout'
import { ConfigError } from './errors'
import type { OnEvent } from './events'
import type { FindAccount } from './grants/account'
import { authorizationCode } from './grants/authorization-code'
import type { Lifetimes } from './grants/grant'
import type { GrantType } from './grants/grant-type'
import { refreshToken } from './grants/refresh-token'
import type { Resources } from './grants/resources'
import type { CorsOption } from './http/cors'
import type { RateLimitOptions } from './http/rate-limit'
import {
  checkAuthorizationEndpoint,
  checkClientAuthMethod,
  checkCors,
  checkDistinct,
  checkGrantType,
  checkIssuer,
  checkMountPath,
  checkRateLimit,
  checkResources,
  checkScopeClaims,
  checkScopeWord,
  checkSecrets,
  checkSigningKeys,
  checkStore,
} from './option-checks'
import type { TokenStore } from './stores/token-store'
import type { SigningKeyInput } from './tokens/signing-keys'

/** Which clients get a new refresh token at each refresh; see {@link TokenRouterOptions.rotate}. */
export type Rotate = 'always' | 'public' | 'never' | ((client: Client) => boolean)

/** What {@link createTokenRouter} takes. Each fault in it is a {@link ConfigError} that names the option. */
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
  /** Your login and consent. Given, it mounts the authorization endpoint at `/authorize`. */
  readonly authorize?: AuthorizeFunction | undefined
  /** Your own page for errors that no client can be told. Default: a plain one. */
  readonly errorPage?: ErrorPage | undefined
  /** Your logout, for clients that want their user logged out. Given, it mounts the logout endpoint at `/logout`. */
  readonly logout?: LogoutFunction | undefined
  /** The URL of an authorize page of your own, which calls `issueCode`; for the metadata. */
  readonly authorizationEndpoint?: string | undefined
  /**
   * Where grants live: a store, or the URL or ioredis client of a Redis. Default: `redis://127.0.0.1:6379`.
   * `memoryStore()` for a first run, for tests and for a single process.
   */
  readonly store?: TokenStore | Redis | Cluster | string | undefined
  /** `aud` of access tokens (RFC 9068 §2.2): the API that they are for. Default: the issuer. */
  readonly audience?: string | undefined
  /**
   * Further APIs that a client may ask for by the parameter `resource` (RFC 8707), by their absolute URIs; or a
   * function that says whether this client may. Default: none.
   */
  readonly resources?: Resources | undefined
  /** The scope that the server knows. Default: `['openid', 'offline_access']`. A list of yours replaces it. */
  readonly scopes?: readonly string[] | undefined
  /**
   * Which claims of `findAccount` words of your own in `scopes` stand for, such as `{ membership: ['member_since'] }`;
   * `profile`, `email`, `address` and `phone` stand for those of OpenID Connect Core §5.4.
   */
  readonly scopeClaims?: Readonly<Record<string, readonly string[]>> | undefined
  /**
   * Who must use PKCE. Default: `always`. `public`: confidential OpenID Connect clients may rely on `nonce` instead
   * (RFC 9700 §2.1.1). `optional`: they may use neither, as OpenID Connect Core allows. Not for new clients.
   */
  readonly pkce?: PkceRule | undefined
  /**
   * Whether all clients must push their authorization requests (RFC 9126 §5). Default: false. A client may also be
   * registered so, with `require_pushed_authorization_requests`.
   */
  readonly requirePushedAuthorizationRequests?: boolean | undefined
  /**
   * Whose refresh tokens rotate (RFC 9700 §4.14.2). Default: those of `public` clients. Any other client keeps
   * its refresh token until it expires.
   */
  readonly rotate?: Rotate | undefined
  /**
   * Seconds for which a superseded refresh token still gets the current one, so that a lost answer or two tabs log
   * nobody out. Default: 60; 0 is strict.
   */
  readonly overlap?: number | undefined
  /** Seconds within which a spent code is only refused; afterwards its grant ends as well. Default: 5. */
  readonly codeReplaySeconds?: number | undefined
  /**
   * In seconds, 100 years at most. Defaults: code 60, access token 600, ID token 600, refresh idle 30 days, refresh
   * absolute 90 days, pushed request 60.
   */
  readonly lifetimes?: Partial<Lifetimes> | undefined
  /** Grant types of your own, beside the authorization code and the refresh token. */
  readonly grants?: readonly GrantType[] | undefined
  /** Client-authentication methods of your own, beside Basic, post and none. */
  readonly clientAuthMethods?: readonly ClientAuthMethod[] | undefined
  /** Told of all that happens, with never a secret in it. Default: troubles are written to standard error. */
  readonly onEvent?: OnEvent | undefined
  /** Limits on failures, by address (default: 120 a minute) and by client there (30); `false` turns them off. */
  readonly rateLimit?: RateLimitOptions | false | undefined
  /** Which origins may call from a browser, never with credentials. Default: all. */
  readonly cors?: CorsOption | undefined
  /** The path under which the app sees the router, where a proxy strips a part. Default: the issuer's path. */
  readonly mountPath?: string | undefined
  /** Seconds that a store may take before the answer is 503. Default: 0.7, so that two calls stay within 1.5 s. */
  readonly storeTimeoutSeconds?: number | undefined
  /** The time in milliseconds since the epoch, for tests. Default: `Date.now`. Stores have a clock of their own. */
  readonly now?: (() => number) | undefined
}

const ROTATIONS = ['always', 'public', 'never'] as const

const DAY = 24 * 60 * 60

/** A hundred years: no store can add up times that are much longer. */
const LONGEST_LIFETIME = 100 * 365 * DAY

const LIFETIMES: Lifetimes = {
  codeSeconds: 60,
  accessTokenSeconds: 600,
  idTokenSeconds: 600,
  refreshIdleSeconds: 30 * DAY,
  refreshAbsoluteSeconds: 90 * DAY,
  pushedRequestSeconds: 60,
}

/** Every option there is. The compiler keeps the list complete. */
const NAMES: Readonly<Record<keyof TokenRouterOptions, true>> = {
  issuer: true,
  secret: true,
  signingKeys: true,
  clients: true,
  findAccount: true,
  authorize: true,
  logout: true,
  errorPage: true,
  authorizationEndpoint: true,
  store: true,
  audience: true,
  resources: true,
  scopes: true,
  scopeClaims: true,
  pkce: true,
  requirePushedAuthorizationRequests: true,
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
export function resolveOptions(options: TokenRouterOptions) {
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
  const ownGrantTypes = list('grants', options.grants ?? [])
  ownGrantTypes.forEach(checkGrantType)
  const grantTypes = [authorizationCode, refreshToken, ...ownGrantTypes]
  const ownAuthMethods = list('clientAuthMethods', options.clientAuthMethods ?? [])
  ownAuthMethods.forEach(checkClientAuthMethod)
  const clientAuthMethods = [clientSecretBasic, clientSecretPost, none, ...ownAuthMethods]
  checkDistinct('grants', grantTypes)
  checkDistinct('clientAuthMethods', clientAuthMethods)

  const scopes = list('scopes', options.scopes ?? ['openid', 'offline_access']).map(checkScopeWord)
  const resolved = {
    issuer,
    secrets: checkSecrets(options.secret),
    signingKeys: checkSigningKeys(options.signingKeys),
    clients: checkClients(options.clients, { ...options, grantTypes, clientAuthMethods }),
    findAccount: required(
      'findAccount',
      options.findAccount,
      'Give (subject) => account; undefined means that the user may have no tokens.',
    ),
    authorize: optionalFunction('authorize', options.authorize),
    logout: optionalFunction('logout', options.logout),
    errorPage: optionalFunction('errorPage', options.errorPage),
    authorizationEndpoint: checkAuthorizationEndpoint(options.authorizationEndpoint, options.authorize),
    store: checkStore(options.store),
    audience: text('audience', options.audience ?? issuer),
    resources: checkResources(options.resources ?? []),
    scopes,
    scopeClaims: checkScopeClaims(options.scopeClaims ?? {}, scopes),
    pkce: oneOf('pkce', options.pkce ?? 'always', ['always', 'public', 'optional']),
    requirePushedAuthorizationRequests: flag(
      'requirePushedAuthorizationRequests',
      options.requirePushedAuthorizationRequests ?? false,
    ),
    rotate:
      typeof options.rotate === 'function'
        ? options.rotate
        : oneOf('rotate', options.rotate ?? 'public', ROTATIONS),
    overlap: seconds('overlap', options.overlap ?? 60, 0),
    codeReplaySeconds: seconds('codeReplaySeconds', options.codeReplaySeconds ?? 5, 0),
    lifetimes: checkLifetimes(options.lifetimes ?? {}),
    grantTypes,
    ownGrantTypes,
    clientAuthMethods,
    onEvent: optionalFunction('onEvent', options.onEvent),
    rateLimit: checkRateLimit(options.rateLimit),
    cors: checkCors(options.cors ?? true),
    mountPath: checkMountPath(options.mountPath ?? new URL(issuer).pathname),
    storeTimeoutSeconds: seconds('storeTimeoutSeconds', options.storeTimeoutSeconds ?? 0.7, 0.001),
    now: optionalFunction('now', options.now) ?? Date.now,
  }
  refuseNulls('', options)
  return resolved
}

/** The options with their defaults, checked. */
export type ResolvedOptions = Readonly<ReturnType<typeof resolveOptions>>

function checkLifetimes(lifetimes: Partial<Lifetimes>): Lifetimes {
  if (typeof lifetimes !== 'object' || lifetimes === null || Array.isArray(lifetimes)) {
    throw new ConfigError(
      'bad_lifetimes',
      'lifetimes',
      'is not an object.',
      `Give some of ${Object.keys(LIFETIMES).join(', ')}.`,
    )
  }
  refuseUnknownNames('lifetimes.', lifetimes, LIFETIMES)
  refuseNulls('lifetimes.', lifetimes)
  const given = Object.entries(lifetimes).filter(([, value]) => value !== undefined)
  for (const [name, value] of given) seconds(`lifetimes.${name}`, value, 1, LONGEST_LIFETIME)
  return { ...LIFETIMES, ...Object.fromEntries(given) }
}
