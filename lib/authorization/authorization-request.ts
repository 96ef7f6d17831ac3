// An authorization request (RFC 6749 §4.1.1, OpenID Connect Core §3.1.2.1), as the rest of the library and the host see it.
import { type Client, isPublic } from '../clients/client'
import type { ResponseMode } from './authorization-response'
import type { RequestedClaims } from './claims-parameter'

/** A request that a client may make. What it asks for is still the user's to grant. */
export interface AuthorizationRequest {
  readonly client: Client
  readonly redirectUri: string
  /** Whether the request named it, so that the token request must as well. */
  readonly redirectUriRequired: boolean
  /** What is asked for, of what the server knows and the client may ask. */
  readonly scope: readonly string[]
  readonly state: string | undefined
  readonly responseMode: ResponseMode
  readonly nonce: string | undefined
  readonly codeChallenge: string | undefined
  /** `none`, `login`, `consent`, `select_account` (OpenID Connect Core §3.1.2.1). `nextStep` acts on it. */
  readonly prompt: readonly string[]
  /** Seconds since the last login that are acceptable. `nextStep` acts on it. */
  readonly maxAge: number | undefined
  /** The users of whom one must be logged in, by `id_token_hint` or `claims`. `nextStep` acts on it. */
  readonly expectedSubjects: readonly string[] | undefined
  /** One of these authentication context classes is a must. `nextStep` acts on it. */
  readonly essentialAcr: readonly string[] | undefined
  /** Those that would be welcome, the best first. */
  readonly acrValues: readonly string[]
  /** What the user may have typed at the client: an e-mail address, a phone number. Anybody can have made it up. */
  readonly loginHint: string | undefined
  /** The languages that the user reads (BCP 47), the best first. */
  readonly uiLocales: readonly string[]
  readonly claimsLocales: readonly string[]
  /** `page`, `popup`, `touch` or `wap`. */
  readonly display: string | undefined
  /** Single claims that are asked for beside those of the scope (OpenID Connect Core §5.5). */
  readonly claims: RequestedClaims | undefined
  /** The APIs that access tokens are to be for (RFC 8707 §2.1), as the host spells them; none: the usual one. */
  readonly resources: readonly string[]
  /**
   * All that the user is asked to allow, each as a string to remember: words of the scope, `claim:` with the name of one
   * that goes beyond the scope, `resource:` with the URL of an API.
   */
  readonly asksFor: readonly string[]
  /** Where it was pushed (RFC 9126): it is answered once. */
  readonly requestUri: string | undefined
  /** Path and query of this request: where a login sends the browser back to, and a consent page its form. */
  readonly returnTo: string
  /** When this browser first came with it. */
  readonly startedAt: Date
}

/** Who must send a code challenge; see the option `pkce`. */
export type PkceRule = 'always' | 'public' | 'optional'

/** RFC 9700 §2.1.1 lets a confidential OpenID Connect client rely on `nonce` alone; OpenID Connect Core on neither. */
export function mayDoWithoutPkce(
  { client, scope, nonce }: Pick<AuthorizationRequest, 'client' | 'scope' | 'nonce'>,
  pkce: PkceRule,
): boolean {
  if (pkce === 'always' || isPublic(client)) return false
  return scope.includes('openid') && (nonce !== undefined || pkce === 'optional')
}
