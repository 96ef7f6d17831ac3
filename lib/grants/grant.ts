// A grant: what a user agreed to, for one client. Written once, at insert; the store keeps it as an opaque string.
import { type Client, momentOf } from '../clients/client'
import type { StoredGrant } from '../stores/token-store'
import type { ClaimNames } from './claims'
import type { CodeTerms } from './code-terms'

/** What a grant says. It never changes: changed consent is a new grant. */
export interface Grant {
  readonly subject: string
  readonly scope: readonly string[]
  /** Milliseconds since the epoch. */
  readonly authTime: number
  readonly sid: string | undefined
  readonly acr: string | undefined
  readonly amr: readonly string[] | undefined
  readonly label: string | undefined
  /** What the client asked for by name, beside what the scope stands for. */
  readonly claims: ClaimNames | undefined
  /** The APIs that access tokens are for (RFC 8707); `undefined` where the client named none: the option `audience`. */
  readonly resources: readonly string[] | undefined
  /** Whether there are refresh tokens. */
  readonly refreshable: boolean
  /** What the code is tied to; `undefined` for a grant that began without one. */
  readonly code: CodeTerms | undefined
}

/** How long things are good, in seconds. */
export interface Lifetimes {
  /** Of a code, from the approval on (RFC 6749 §4.1.2). Default: 60. */
  readonly codeSeconds: number
  /** Of an access token; less where its grant ends before. Default: 600. */
  readonly accessTokenSeconds: number
  /** Of an ID token. Default: 600. */
  readonly idTokenSeconds: number
  /** Of a refresh token that nobody uses, from its last use on. Default: 30 days. */
  readonly refreshIdleSeconds: number
  /** Of all refresh tokens of a grant, from the approval on. Default: 90 days. */
  readonly refreshAbsoluteSeconds: number
  /** In which a browser must come with a request that a client pushed (RFC 9126 §2.2). Default: 60. */
  readonly pushedRequestSeconds: number
}

/** A record that leads to refresh tokens lives this long, so that a redemption which a failover lost can be caught up. */
export const MIN_RECORD_SECONDS = 24 * 60 * 60

/** From insert, the seconds after which no refresh token of the grant is good. */
export function absoluteLifetime(grant: Grant, lifetimes: Lifetimes): number {
  return grant.refreshable
    ? lifetimes.refreshAbsoluteSeconds
    : (grant.code?.lifetime ?? 0) + lifetimes.accessTokenSeconds
}

/** From each use, the seconds for which the record is kept at least: what came of it must not outlive it. */
export function idleLifetime(grant: Grant, { accessTokenSeconds, refreshIdleSeconds }: Lifetimes): number {
  return grant.refreshable ? Math.max(accessTokenSeconds, refreshIdleSeconds) : accessTokenSeconds
}

/**
 * Seconds until a grant ends of old age if nobody uses it again; zero or less when it has. By the clock of the store
 * alone, so that app servers may disagree on the time.
 */
export function secondsLeft(grant: Grant, stored: StoredGrant, lifetimes: Lifetimes): number {
  const absolute = absoluteLifetime(grant, lifetimes) - stored.age
  return grant.refreshable ? Math.min(absolute, lifetimes.refreshIdleSeconds - stored.idle) : absolute
}

/** Whether a refresh token of this grant can still be used: its last second leaves no access token that ends with it. */
export function isRefreshable(grant: Grant, stored: StoredGrant, lifetimes: Lifetimes): boolean {
  const lastSecond = absoluteLifetime(grant, lifetimes) - stored.age < 1
  return grant.refreshable && !lastSecond && secondsLeft(grant, stored, lifetimes) > 0
}

/** A grant with where it stands, as the handlers use it. */
export interface FoundGrant {
  readonly grant: Grant
  readonly stored: StoredGrant
}

/** RFC 6749 §4.1.3, §6: codes and refresh tokens are for the client they were issued to. */
export function belongsTo(stored: StoredGrant, client: Client): boolean {
  return stored.client === client.client_id
}

/** Whether the record of its client still lets a grant be used. @param now Milliseconds since the epoch. */
export function isHonoured(stored: StoredGrant, client: Client, now: number): boolean {
  if (client.notBefore === undefined) return true
  // Only how old the grant is comes from the store; what is not a moment in time honours nothing.
  return now - stored.age * 1000 >= (momentOf(client.notBefore) ?? Number.POSITIVE_INFINITY)
}
