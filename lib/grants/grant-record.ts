// A grant as the store keeps it: short names, and a seal. Whoever can write to the store cannot make a grant say
// something else, and a record that was damaged is never taken for one that was written.
import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto'
import type { StoredGrant } from '../stores/token-store'
import { deriveKey } from '../tokens/derive-key'
import type { Grant } from './grant'

export interface GrantRecords {
  /** What the store keeps as `data`. */
  seal(grant: Grant, key: string, client: string): string
  /** @throws {CorruptGrantError} for what `seal` did not make, for this key and client. */
  open(stored: Pick<StoredGrant, 'key' | 'client' | 'data'>): Grant
}

/** The store gave back something that was never written. It is refused as trouble of ours, never as the client's. */
export class CorruptGrantError extends Error {
  override readonly name = 'CorruptGrantError'
  constructor() {
    super('The store returned a grant that this server did not write.')
  }
}

/** 64 bits, as each guess takes a write to the store and a request. 8 bytes are 11 characters of base64url. */
const SEAL_BYTES = 8
const SEAL_LENGTH = 11

/** @param secrets The first seals, all open. */
export function createGrantRecords(issuer: string, secrets: readonly Buffer[]): GrantRecords {
  const keys = secrets.map((secret) => deriveKey(secret, issuer, 'grant'))

  return {
    seal(grant, key, client) {
      const json = JSON.stringify(toWire(grant))
      return sealOf(keys[0] as KeyObject, key, client, json) + json
    },

    open({ key, client, data }) {
      const seal = Buffer.from(data.slice(0, SEAL_LENGTH))
      const json = data.slice(SEAL_LENGTH)
      const genuine = keys.some((secret) => {
        const expected = Buffer.from(sealOf(secret, key, client, json))
        return expected.length === seal.length && timingSafeEqual(expected, seal)
      })
      if (!genuine) throw new CorruptGrantError()
      return fromWire(JSON.parse(json))
    },
  }
}

function sealOf(secret: KeyObject, key: string, client: string, json: string): string {
  const mac = createHmac('sha256', secret).update(`${key}\0${client}\0${json}`).digest()
  return mac.toString('base64url', 0, SEAL_BYTES)
}

interface Wire {
  s: string
  p: string
  t: number
  r: 0 | 1
  sid?: string | undefined
  acr?: string | undefined
  amr?: readonly string[] | undefined
  l?: string | undefined
  c?: { e: number; u: string; m: 0 | 1; h: string | null; n?: string | undefined } | undefined
}

function toWire({ code, ...grant }: Grant): Wire {
  return {
    s: grant.subject,
    p: grant.scope.join(' '),
    t: grant.authTime,
    r: grant.refreshable ? 1 : 0,
    sid: grant.sid,
    acr: grant.acr,
    amr: grant.amr,
    l: grant.label,
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
