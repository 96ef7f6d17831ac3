// What a client-authentication method is: one part finds credentials in a request, the other proves them.
import type { IncomingHttpHeaders } from 'node:http'
import type { Client } from '../clients/client'
import type { RequestParameters } from '../parameters'

/** The parts of a request where credentials can be. */
export interface ClientAuthRequest {
  readonly headers: IncomingHttpHeaders
  readonly parameters: RequestParameters
}

/** Credentials as they were found; nothing is proved yet. */
export interface ClientCredentials {
  readonly clientId: string
  /** Whatever `verify` of the same method needs: a secret, an assertion. Never logged. */
  readonly proof?: string
}

/** A client-authentication method (RFC 6749 §2.3). Pass one of your own in `clientAuthMethods`. */
export interface ClientAuthMethod {
  /** Its registered name (RFC 7591 §2, `token_endpoint_auth_method`). */
  readonly name: string
  /** The credentials, if the request uses this method. @throws {OAuthError} when they are malformed. */
  find(request: ClientAuthRequest): ClientCredentials | undefined
  /**
   * Whether the credentials are this client's. Asked with `undefined` for an unknown client: it must then cost the
   * same and be false.
   */
  verify(credentials: ClientCredentials, client: Client | undefined): boolean | Promise<boolean>
}
