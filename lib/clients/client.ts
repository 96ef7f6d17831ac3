// A registered client, and the questions that the endpoints ask about it.
import type { JsonWebKey } from 'node:crypto'

/** A set of public keys (RFC 7517 §5). */
export interface ClientKeySet {
  readonly keys: readonly JsonWebKey[]
}

/**
 * A registered client, in the names of RFC 7591 §2. Members that are not listed here may be present and are handed
 * to your functions unchanged.
 */
export interface Client {
  readonly client_id: string
  /** For your consent page; the library never shows it. */
  readonly client_name?: string | undefined
  /** Hash of the secret, by `createClientSecret` or `hashClientSecret`; two of them while a secret is being changed. */
  readonly client_secret_hash?: string | readonly string[] | undefined
  /** Compared character by character (RFC 9700 §2.1). */
  readonly redirect_uris?: readonly string[] | undefined
  /** Where a logout may send the browser (RP-Initiated Logout §3.1). Compared character by character. */
  readonly post_logout_redirect_uris?: readonly string[] | undefined
  /** What it may ask at the token endpoint. Default: `['authorization_code']` (RFC 7591 §2). */
  readonly grant_types?: readonly string[] | undefined
  /** How it authenticates. Default: `client_secret_basic` (RFC 7591 §2). `none` makes it a public client. */
  readonly token_endpoint_auth_method?: string | undefined
  /** The scope it may ask for, separated by spaces. Default: all that the server knows. */
  readonly scope?: string | undefined
  /** `native` lets the port of a loopback redirect URI vary (RFC 8252 §7.3). Default: `web`. */
  readonly application_type?: 'web' | 'native' | undefined
  /**
   * Grants made before this are refused: how all that users ever granted to a client is ended. A Date, or a string of
   * RFC 3339 with its zone, such as JSON makes of a Date.
   */
  readonly notBefore?: Date | string | undefined
  /** Seconds since the last login that are acceptable, where a request does not say (OpenID Connect Registration §2). */
  readonly default_max_age?: number | undefined
  /** Signs ID tokens. Default: that of the first signing key (OpenID Connect Registration §2). */
  readonly id_token_signed_response_alg?: string | undefined
  /** Signs authorization responses that are asked for as JWTs. Default: that of the first signing key (JARM §3). */
  readonly authorization_signed_response_alg?: string | undefined
  /** Its public keys. Given, it may sign its requests (RFC 9101). */
  readonly jwks?: ClientKeySet | undefined
  /** The one algorithm by which it signs them. Default: any that its keys make (OpenID Connect Registration §2). */
  readonly request_object_signing_alg?: string | undefined
  /** Whether it must sign them (RFC 9101 §10.5). */
  readonly require_signed_request_object?: boolean | undefined
  /** Whether it must push its requests (RFC 9126 §6). */
  readonly require_pushed_authorization_requests?: boolean | undefined
  readonly [metadata: string]: unknown
}

/** Finds a client by its id; `undefined` when there is none. */
export type FindClient = (clientId: string) => Client | undefined | Promise<Client | undefined>

/** Whether a string may be a client_id (RFC 6749 App. A.1). */
export function isClientId(text: unknown): text is string {
  return typeof text === 'string' && /^[\x20-\x7E]{1,255}$/.test(text)
}

/** How the client authenticates (RFC 7591 §2: the default is Basic). */
export function authMethodOf(client: Client): string {
  return client.token_endpoint_auth_method ?? 'client_secret_basic'
}

/** A public client can keep no secret (RFC 6749 §2.1). */
export function isPublic(client: Client): boolean {
  return authMethodOf(client) === 'none'
}

/** RFC 7591 §2: a client that names no grant type uses the authorization code. */
export function mayUseGrant(client: Client, grantType: string): boolean {
  return client.grant_types === undefined
    ? grantType === 'authorization_code'
    : client.grant_types.includes(grantType)
}

/** Milliseconds since the epoch; undefined for what is no moment in time. */
export function momentOf(notBefore: unknown): number | undefined {
  if (typeof notBefore === 'string' && !RFC_3339.test(notBefore)) return undefined
  const moment =
    notBefore instanceof Date || typeof notBefore === 'string' ? new Date(notBefore).getTime() : NaN
  return Number.isNaN(moment) ? undefined : moment
}

/** With its zone: without, it would be another moment on another machine. */
const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/i

const LOOPBACK = /^(http:\/\/(?:127\.0\.0\.1|\[::1\]|localhost))(?::\d{1,5})?(\/.*)?$/

/**
 * Exact comparison (RFC 9700 §2.1), except that a native app listens at whichever loopback port is free
 * (RFC 8252 §7.3).
 */
export function mayRedirectTo(client: Client, redirectUri: string): boolean {
  const registered = client.redirect_uris ?? []
  if (registered.includes(redirectUri)) return true
  if (client.application_type !== 'native') return false
  const asked = withoutPort(redirectUri)
  return asked !== undefined && registered.some((uri) => withoutPort(uri) === asked)
}

function withoutPort(uri: string): string | undefined {
  const parts = LOOPBACK.exec(uri)
  return parts ? `${parts[1]}${parts[2] ?? ''}` : undefined
}
