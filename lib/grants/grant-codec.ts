// A grant as the store keeps it: short names, read back with care.
import { unavailable } from '../errors'
import type { OnEvent } from '../events'
import type { StoredGrant } from '../stores/token-store'
import type { Grant } from './grant'

export interface GrantCodec {
  /** What the store keeps as `data`. */
  encode(grant: Grant): string
  /** @throws {OAuthError} 503 for what `encode` did not make: it is trouble of ours, never the client's. */
  decode(stored: Pick<StoredGrant, 'data' | 'link'>): Grant
}

export function createGrantCodec(emit: OnEvent): GrantCodec {
  return {
    encode: (grant) => JSON.stringify(toWire(grant)),

    decode({ data, link }) {
      const wire = parse(data)
      // A chain that stands at its code has one.
      if (isWire(wire) && (link > 0 || wire.c)) return fromWire(wire)
      const cause = new Error('The store returned a grant that this library did not write.')
      emit({ type: 'store.trouble', operation: 'decode', cause })
      throw unavailable('corrupt_grant', cause)
    },
  }
}

const FORMAT = 1

interface Wire {
  v: number
  s: string
  p: string
  t: number
  r: 0 | 1
  sid?: string | undefined
  acr?: string | undefined
  amr?: readonly string[] | undefined
  l?: string | undefined
  a?: readonly string[] | undefined
  q?: { u: readonly string[]; i: readonly string[] } | undefined
  c?: { e: number; u: string; m: 0 | 1; h: string | null; n?: string | undefined } | undefined
}

function toWire({ code, claims, ...grant }: Grant): Wire {
  return {
    v: FORMAT,
    s: grant.subject,
    p: grant.scope.join(' '),
    t: grant.authTime,
    r: grant.refreshable ? 1 : 0,
    sid: grant.sid,
    acr: grant.acr,
    amr: grant.amr,
    l: grant.label,
    a: grant.resources,
    q: claims && { u: claims.userinfo, i: claims.idToken },
    c: code && {
      e: code.lifetime,
      u: code.redirectUri,
      m: code.redirectUriRequired ? 1 : 0,
      h: code.challenge,
      n: code.nonce,
    },
  }
}

function fromWire(wire: Wire): Grant {
  return {
    subject: wire.s,
    scope: wire.p === '' ? [] : wire.p.split(' '),
    authTime: wire.t,
    sid: wire.sid,
    acr: wire.acr,
    amr: wire.amr,
    label: wire.l,
    resources: wire.a,
    claims: wire.q && { userinfo: wire.q.u, idToken: wire.q.i },
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

function parse(data: string): unknown {
  try {
    return JSON.parse(data)
  } catch {
    return undefined
  }
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
    (w.amr === undefined || isTexts(w.amr)) &&
    (w.a === undefined || isTexts(w.a)) &&
    (w.q === undefined || isClaimNames(w.q)) &&
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

function isClaimNames(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const q = value as Record<string, unknown>
  return isTexts(q.u) && isTexts(q.i)
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => typeof one === 'string')
}

function isFlag(value: unknown): boolean {
  return value === 0 || value === 1
}

function isOptional(value: unknown, type: 'string'): boolean {
  return value === undefined || typeof value === type
}
