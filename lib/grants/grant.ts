// A grant: what a user agreed to, for one client. Written once, at insert; the store keeps it as opaque text.
import type { Client } from '../clients/client'
import type { StoredGrant } from '../stores/token-store'

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
  /** Whether there are refresh tokens. */
  readonly refreshable: boolean
  /** What the code is tied to; `undefined` for a grant that began without one. */
  readonly code: CodeTerms | undefined
}

/** To what a code is tied (RFC 6749 §4.1.3, RFC 7636 §4.4). */
export interface CodeTerms {
  /** Seconds. */
  readonly lifetime: number
  readonly redirectUri: string
  /** Whether the authorization request named it, so that the token request must as well (RFC 6749 §4.1.3). */
  readonly redirectUriRequired: boolean
  /** The S256 challenge; `null` where none was sent, and never just missing: a lost challenge must not read as none. */
  readonly challenge: string | null
  readonly nonce: string | undefined
}

/** Seconds. */
export interface Lifetimes {
  readonly codeSeconds: number
  readonly accessTokenSeconds: number
  readonly idTokenSeconds: number
  readonly refreshIdleSeconds: number
  readonly refreshAbsoluteSeconds: number
}

/** The record outlives its code by this, so that a redemption which a failover lost can be caught up. */
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

/** The store gave back something that was never written. It is refused as trouble of ours, never as the client's. */
export class CorruptGrantError extends Error {
  override readonly name = 'CorruptGrantError'
  constructor() {
    super('The store returned a grant that this library did not write.')
  }
}

const FORMAT = 1

/** Short names: they are in every record. */
interface Wire {
  v: number
  s: string
  p: string
  t: number
  r: 0 | 1
  sid?: string
  acr?: string
  amr?: string[]
  l?: string
  c?: { e: number; u: string; m: 0 | 1; h: string | null; n?: string }
}

export function encodeGrant(grant: Grant): string {
  const wire: Wire = {
    v: FORMAT,
    s: grant.subject,
    p: grant.scope.join(' '),
    t: grant.authTime,
    r: grant.refreshable ? 1 : 0,
    ...(grant.sid !== undefined && { sid: grant.sid }),
    ...(grant.acr !== undefined && { acr: grant.acr }),
    ...(grant.amr !== undefined && { amr: [...grant.amr] }),
    ...(grant.label !== undefined && { l: grant.label }),
    ...(grant.code && {
      c: {
        e: grant.code.lifetime,
        u: grant.code.redirectUri,
        m: grant.code.redirectUriRequired ? 1 : 0,
        h: grant.code.challenge,
        ...(grant.code.nonce !== undefined && { n: grant.code.nonce }),
      },
    }),
  }
  return JSON.stringify(wire)
}

/** @throws {CorruptGrantError} when a member is missing or of another type. */
export function decodeGrant(data: string): Grant {
  const wire = parse(data)
  return {
    subject: wire.s,
    scope: wire.p === '' ? [] : wire.p.split(' '),
    authTime: wire.t,
    sid: wire.sid,
    acr: wire.acr,
    amr: wire.amr,
    label: wire.l,
    refreshable: wire.r === 1,
    code: wire.c && {
      lifetime: wire.c.e,
      redirectUri: wire.c.u,
      redirectUriRequired: wire.c.m === 1,
      challenge: wire.c.h,
      nonce: wire.c.n,
    },
  }
}

function parse(data: string): Wire {
  let wire: unknown
  try {
    wire = JSON.parse(data)
  } catch {
    throw new CorruptGrantError()
  }
  if (!isWire(wire)) throw new CorruptGrantError()
  return wire
}

function isWire(value: unknown): value is Wire {
  if (typeof value !== 'object' || value === null) return false
  const w = value as Record<string, unknown>
  return (
    w.v === FORMAT &&
    typeof w.s === 'string' &&
    w.s !== '' &&
    typeof w.p === 'string' &&
    Number.isFinite(w.t) &&
    isFlag(w.r) &&
    isOptional(w.sid, 'string') &&
    isOptional(w.acr, 'string') &&
    isOptional(w.l, 'string') &&
    (w.amr === undefined || (Array.isArray(w.amr) && w.amr.every((method) => typeof method === 'string'))) &&
    (w.c === undefined || isCodeTerms(w.c))
  )
}

function isCodeTerms(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const c = value as Record<string, unknown>
  return (
    Number.isFinite(c.e) &&
    typeof c.u === 'string' &&
    isFlag(c.m) &&
    (c.h === null || typeof c.h === 'string') &&
    isOptional(c.n, 'string')
  )
}

function isFlag(value: unknown): boolean {
  return value === 0 || value === 1
}

function isOptional(value: unknown, type: 'string'): boolean {
  return value === undefined || typeof value === type
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
