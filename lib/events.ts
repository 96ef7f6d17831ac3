// What the operator can see. No event ever carries a token, a code, a secret or a key.
import type { GrantKey } from './stores/token-store'

interface OfGrant {
  /** The store's key of the grant. Knowing it gives nobody a token. */
  readonly grant: GrantKey
  readonly clientId: string
  readonly subject: string
}

/** Tokens were handed out, and the store knows. */
export interface TokensIssuedEvent extends OfGrant {
  readonly type: 'tokens.issued'
  readonly grantType: string
  readonly scope: readonly string[]
  readonly idToken: boolean
  readonly refreshToken: boolean
}

/** A code was handed out at the end of an authorization. */
export interface CodeIssuedEvent extends OfGrant {
  readonly type: 'code.issued'
  readonly scope: readonly string[]
}

/** The user, or the host for the user, said no. */
export interface AuthorizationDeniedEvent {
  readonly type: 'authorization.denied'
  readonly clientId: string
  readonly error: string
}

/** A request was answered with an error. */
export interface RequestRefusedEvent {
  readonly type: 'request.refused'
  readonly endpoint: string
  /** The status and the code of the answer; 303 where the browser took it to the client. */
  readonly status: number
  readonly error: string
  /** The true reason, which the client is not told. */
  readonly reason: string
  readonly clientId: string | undefined
  readonly cause: unknown
}

/** A token that was superseded a moment ago came again and was answered with the current one. */
export interface OverlapEvent extends OfGrant {
  readonly type: 'refresh.overlap'
  readonly presented: number
  readonly current: number
}

/** A spent code or refresh token came back. */
export interface ReplayEvent extends OfGrant {
  readonly type: 'replay'
  readonly kind: 'code' | 'refresh_token'
  readonly presented: number
  readonly current: number
  /** Whether the grant was ended for it. */
  readonly revoked: boolean
}

/** The store had lost its last write; the token proved it, and the record caught up. */
export interface CaughtUpEvent extends OfGrant {
  readonly type: 'grant.caught-up'
  readonly from: number
  readonly to: number
}

/** A grant was ended before its time, or several of one user. */
export interface RevokedEvent {
  readonly type: 'grant.revoked'
  readonly by: 'client' | 'host' | 'replay'
  readonly subject: string
  readonly clientId: string | undefined
  readonly grant: GrantKey | undefined
  readonly count: number
}

/** The store did not answer, answered late, or answered with something that cannot be. */
export interface StoreTroubleEvent {
  readonly type: 'store.trouble'
  readonly operation: string
  readonly cause: unknown
}

/** A signing key could not sign, or a function of the host threw or did not answer in time. */
export interface HostTroubleEvent {
  readonly type: 'host.trouble'
  readonly operation:
    | 'clients'
    | 'findAccount'
    | 'authorize'
    | 'logout'
    | 'resources'
    | 'errorPage'
    | 'sign'
    | 'rateLimit'
    | 'grants'
    | 'clientAuthMethods'
  readonly cause: unknown
}

/** Something about the set-up deserves a look; at most once each. */
export interface WarningEvent {
  readonly type: 'warning'
  readonly code: string
  readonly message: string
}

/** All that the router tells; `type` says which. */
export type TokenRouterEvent =
  | TokensIssuedEvent
  | CodeIssuedEvent
  | AuthorizationDeniedEvent
  | RequestRefusedEvent
  | OverlapEvent
  | ReplayEvent
  | CaughtUpEvent
  | RevokedEvent
  | StoreTroubleEvent
  | HostTroubleEvent
  | WarningEvent

/** Told of each event when it has happened. Not waited for; what it throws is written to standard error. */
export type OnEvent = (event: TokenRouterEvent) => void

/** One way out for all events. A listener that throws must not turn a good answer into a bad one. */
export function createEmitter(onEvent: OnEvent = writeTrouble): OnEvent {
  return (event) => {
    const failed = (cause: unknown) =>
      console.error(`express-token-endpoint: onEvent threw on ${event.type}: ${describe(cause)}`)
    try {
      // It is not waited for; but where it is asynchronous, its rejection must not end the process.
      const told: unknown = onEvent(event)
      if (told instanceof Promise) told.catch(failed)
    } catch (cause) {
      failed(cause)
    }
  }
}

/** Without a listener: what somebody has to mend must not pass in silence. */
function writeTrouble(event: TokenRouterEvent): void {
  if (event.type === 'warning') console.warn(`express-token-endpoint: ${event.message}`)
  if (event.type === 'store.trouble' || event.type === 'host.trouble') {
    console.error(`express-token-endpoint: ${event.operation} failed: ${describe(event.cause)}`)
  }
  if (event.type === 'request.refused' && event.error === 'server_error') {
    console.error(`express-token-endpoint: ${event.endpoint} failed: ${describe(event.cause)}`)
  }
}

/** The stack alone: other members of an error may hold what was sent. */
function describe(cause: unknown): string {
  return cause instanceof Error ? (cause.stack ?? cause.message) : 'not an Error'
}
