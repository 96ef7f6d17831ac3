// What a grant type is: one object that checks a request and says what is to be issued and how to commit it.
import type { IncomingHttpHeaders } from 'node:http'
import type { Client } from '../clients/client'
import type { TokenRouterEvent } from '../events'
import type { RequestParameters } from '../parameters'
import type { TokenStore } from '../stores/token-store'
import type { Issuable } from '../tokens/issue-tokens'
import type { Links } from '../tokens/link'
import type { Approval } from './approval'
import type { Grant, Lifetimes } from './grant'
import type { GrantCodec } from './grant-codec'

/** A token request whose client has proved who it is and may use the grant type. */
export interface TokenRequest {
  readonly client: Client
  /** Only those that the grant type lists in `parameters`. */
  readonly parameters: RequestParameters
  readonly headers: IncomingHttpHeaders
}

/** What a grant type decided to issue. Nothing has changed yet: that is what `commit` does, after the signing. */
export interface Issuance extends Issuable {
  readonly client: Client
  readonly grant: Grant
  /** One atomic step of the store. False: somebody else was faster, so look again. */
  commit(): Promise<boolean>
  /** What else happened, told once it is true. */
  readonly events: readonly TokenRouterEvent[]
}

/** What a grant type may use. */
export interface GrantContext {
  readonly issuer: string
  /** For short-lived keys. Begin yours with a name of your own. */
  readonly store: Pick<TokenStore, 'put' | 'get' | 'take'>
  emit(event: TokenRouterEvent): void
  /** A new grant with its first refresh token: what a grant type of the host's own returns. @throws {ConfigError} */
  newGrant(client: Client, approval: Approval): Issuance
}

/** What the two grant types that walk along a chain may use. */
export interface ChainContext {
  readonly store: TokenStore
  emit(event: TokenRouterEvent): void
  readonly links: Links
  readonly codec: GrantCodec
  readonly lifetimes: Lifetimes
  /** `aud` of access tokens where the client named no API. */
  readonly audience: string
  /** Seconds for which a superseded refresh token still gets the current one. */
  readonly overlap: number
  /** Seconds for which a spent code is refused without ending its grant. */
  readonly codeReplaySeconds: number
  /** Milliseconds since the epoch. */
  now(): number
  /** Whether the refresh tokens of this client rotate. */
  rotates(client: Client): boolean
}

/**
 * A grant type. Pass one of your own in `grants`.
 *
 * @example
 * const apiKey: GrantType = {
 *   name: 'urn:example:api-key',
 *   parameters: ['api_key'],
 *   async handle({ client, parameters }, context) {
 *     const user = await users.byApiKey(parameters.require('api_key'))
 *     if (!user) throw new OAuthError('invalid_grant', 'The API key is not valid.')
 *     return context.newGrant(client, { subject: user.id, scope: ['profile'] })
 *   },
 * }
 */
export interface GrantType<Context = GrantContext> {
  /** The value of `grant_type`: a registered name or an absolute URI (RFC 6749 §4.5). */
  readonly name: string
  /** The parameters that it reads; it sees no others. */
  readonly parameters: readonly string[]
  /**
   * Checks everything and decides. May be asked twice for one request, when another request moved the grant in
   * between. @throws {OAuthError}
   */
  handle(request: TokenRequest, context: Context): Promise<Issuance>
}

/** A grant type with what it may use. */
export interface BoundGrantType {
  readonly parameters: readonly string[]
  /** For one request: all that it asks of the store has to be done in the time of two calls. */
  begin(): (request: TokenRequest) => Promise<Issuance>
}

export function bindGrantType<Context>(
  grantType: GrantType<Context>,
  contextFor: () => Context,
): BoundGrantType {
  return {
    parameters: grantType.parameters,
    begin() {
      const context = contextFor()
      return (request) => grantType.handle(request, context)
    },
  }
}
