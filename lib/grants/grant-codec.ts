// A grant as the store keeps it: a list of its members in a fixed order, read back with care.
import { unavailable } from '../errors'
import type { OnEvent } from '../events'
import type { StoredGrant } from '../stores/token-store'
import type { CodeTerms } from './code-terms'
import type { Grant } from './grant'
import { isKeptChallenge } from './pkce'

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
      if (isWire(wire) && (link > 0 || wire[LIFETIME] !== null)) return fromWire(wire)
      const cause = new Error('The store returned a grant that this library did not write.')
      emit({ type: 'store.trouble', operation: 'decode', cause })
      throw unavailable('corrupt_grant', cause)
    },
  }
}

const FORMAT = 1

/** Flags. */
const REFRESHABLE = 1
const REDIRECT_URI_REQUIRED = 2

/** A store keeps many of them, for months: no names, and at the end nothing that is not there. */
type Wire = [
  format: number,
  flags: number,
  subject: string,
  scope: string,
  authTime: number,
  /** `null` for a grant that began without a code. */
  lifetime: number | null,
  redirectUriHash: string | null,
  challenge: string | null,
  nonce?: string | null,
  rest?: Rest,
]
const LIFETIME = 5

/** What few grants have. */
interface Rest {
  sid?: string | undefined
  acr?: string | undefined
  amr?: readonly string[] | undefined
  label?: string | undefined
  resources?: readonly string[] | undefined
  claims?: Grant['claims']
}

function toWire({ subject, scope, authTime, refreshable, code, ...others }: Grant): Wire {
  const flags =
    (refreshable ? REFRESHABLE : 0) + (code?.redirectUriRequired === true ? REDIRECT_URI_REQUIRED : 0)
  const { sid, acr, amr, label, resources, claims } = others
  const rest: Rest = { sid, acr, amr, label, resources, claims }
  const wire: Wire = [
    FORMAT,
    flags,
    subject,
    scope.join(' '),
    authTime,
    code?.lifetime ?? null,
    code?.redirectUriHash ?? null,
    code?.challenge ?? null,
  ]
  if (Object.values(rest).some((member) => member !== undefined)) wire.push(code?.nonce ?? null, rest)
  else if (code?.nonce !== undefined) wire.push(code.nonce)
  return wire
}

function fromWire(wire: Wire): Grant {
  const [, flags, subject, scope, authTime, , , , , rest = {}] = wire
  const { sid, acr, amr, label, resources, claims } = rest
  return {
    subject,
    scope: scope === '' ? [] : scope.split(' '),
    authTime,
    sid,
    acr,
    amr,
    label,
    resources,
    claims,
    refreshable: (flags & REFRESHABLE) !== 0,
    code: codeOf(wire),
  }
}

function codeOf([, flags, , , , lifetime, redirectUriHash, challenge, nonce]: Wire): CodeTerms | undefined {
  if (lifetime === null || redirectUriHash === null) return undefined
  const redirectUriRequired = (flags & REDIRECT_URI_REQUIRED) !== 0
  return { lifetime, redirectUriHash, redirectUriRequired, challenge, nonce: nonce ?? undefined }
}

function parse(data: string): unknown {
  try {
    return JSON.parse(data)
  } catch {
    return undefined
  }
}

function isWire(value: unknown): value is Wire {
  if (!Array.isArray(value)) return false
  const [format, flags, subject, scope, authTime, lifetime, redirectUriHash, challenge, nonce, rest] = value
  return (
    format === FORMAT &&
    Number.isInteger(flags) &&
    flags >= 0 &&
    flags <= REFRESHABLE + REDIRECT_URI_REQUIRED &&
    typeof subject === 'string' &&
    subject !== '' &&
    typeof scope === 'string' &&
    Number.isFinite(authTime) &&
    (lifetime === null
      ? redirectUriHash === null && challenge === null
      : Number.isFinite(lifetime) &&
        typeof redirectUriHash === 'string' &&
        (challenge === null || isKeptChallenge(challenge))) &&
    (nonce === undefined || nonce === null || typeof nonce === 'string') &&
    (rest === undefined || isRest(rest))
  )
}

function isRest(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { sid, acr, amr, label, resources, claims } = value as Record<string, unknown>
  return (
    [sid, acr, label].every((member) => member === undefined || typeof member === 'string') &&
    [amr, resources].every((member) => member === undefined || isListOfStrings(member)) &&
    (claims === undefined || isClaimNames(claims))
  )
}

function isClaimNames(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { userinfo, idToken } = value as Record<string, unknown>
  return isListOfStrings(userinfo) && isListOfStrings(idToken)
}

function isListOfStrings(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => typeof one === 'string')
}
