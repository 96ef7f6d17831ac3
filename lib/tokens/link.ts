// The text of a code or refresh token: version · partition · grant id · link number · MAC, 39 bytes in base64url.
// The text proves itself, so a made-up token never reaches the store, and a copy of the store makes no token.
import { createHmac, hash, type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto'
import type { GrantKey } from '../stores/token-store'
import { deriveKey } from './derive-key'

/** Codes and refresh tokens are MACed with different keys, so that one is never taken for the other. */
export type LinkKind = 'code' | 'refresh_token'

/** One link of a grant's chain, as its token names it. */
export interface Link {
  readonly grantId: GrantId
  readonly number: number
}

/** One that somebody brought. */
export interface PresentedLink extends Link {
  /** Whether `encode` would make the same token of it: not, where another secret signs by now. */
  readonly byFirstSecret: boolean
}

/** What only the holder of a code or refresh token knows; the store and access tokens see its hash. */
export interface GrantId {
  /** Four hexadecimal characters. */
  readonly partition: string
  /** 128 random bits. */
  readonly bytes: Buffer
}

const VERSION = 1
const HEAD = 1 + 2 + 16 + 4
const MAC = 16
/** Characters of a hash that name a grant or a user in the store, beside the partition: 96 bits. */
const NAME = 16
/** 39 bytes fill 52 characters exactly: there is one spelling of each token, without padding or spare bits. */
const PATTERN = /^[A-Za-z0-9_-]{52}$/

export interface Links {
  /** The token that names this link. `boundTo`: the thumbprint of the key it is bound to, if any. */
  encode(kind: LinkKind, link: Link, boundTo?: string): string
  /** The link that a token names; `undefined` for whatever this server did not make. */
  decode(kind: LinkKind, token: string, boundTo?: string): PresentedLink | undefined
}

/** @param secrets The first signs, all verify. */
export function createLinks(issuer: string, secrets: readonly Buffer[]): Links {
  const keys = {
    code: secrets.map((secret) => deriveKey(secret, issuer, 'code')),
    refresh_token: secrets.map((secret) => deriveKey(secret, issuer, 'refresh_token')),
  }

  return {
    encode(kind, { grantId, number }, boundTo = '') {
      const token = Buffer.allocUnsafe(HEAD + MAC)
      token[0] = VERSION
      token.write(grantId.partition, 1, 'hex')
      grantId.bytes.copy(token, 3)
      token.writeUInt32BE(number, 19)
      mac(keys[kind][0] as KeyObject, token, boundTo).copy(token, HEAD)
      return token.toString('base64url')
    },

    decode(kind, text, boundTo = '') {
      if (!PATTERN.test(text)) return undefined
      const token = Buffer.from(text, 'base64url')
      if (token[0] !== VERSION) return undefined
      const presented = token.subarray(HEAD)
      const by = keys[kind].findIndex((key) => timingSafeEqual(mac(key, token, boundTo), presented))
      if (by < 0) return undefined
      return {
        grantId: { partition: token.toString('hex', 1, 3), bytes: token.subarray(3, 19) },
        number: token.readUInt32BE(19),
        byFirstSecret: by === 0,
      }
    },
  }
}

function mac(key: KeyObject, token: Buffer, boundTo: string): Buffer {
  const hmac = createHmac('sha256', key).update(token.subarray(0, HEAD)).update(boundTo)
  // By way of a string: a Buffer outside of Node's pool would cost as much as the MAC itself.
  return Buffer.from(hmac.digest('hex'), 'hex').subarray(0, MAC)
}

/** A new grant's id, in the partition of its user. */
export function newGrantId(subject: SubjectKey): GrantId {
  return { partition: subject.slice(0, 4), bytes: randomBytes(16) }
}

/**
 * By what the store finds a grant: its partition and a hash of its id. Short, because a store keeps it more than once;
 * with the partition, two of a billion grants meet with a probability of 1 in 10^16.
 */
export function grantKey({ partition, bytes }: GrantId): GrantKey {
  return `${partition}.${hash('sha256', bytes, 'base64url').slice(0, NAME)}`
}

/** By what the store finds a user's grants. */
export type SubjectKey = string

/**
 * A hash of issuer and subject: servers that share a store never see each other's grants, and the keys of a store
 * name nobody. Its first 16 bits are the partition of all grants of this user.
 */
export function subjectKey(issuer: string, subject: string): SubjectKey {
  const digest = hash('sha256', `${issuer}\0${subject}`, 'buffer')
  return `${digest.toString('hex', 0, 2)}.${digest.toString('base64url', 2).slice(0, NAME)}`
}
