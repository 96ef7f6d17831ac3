// How a grant begins: with a code, or, for a grant type of the host's own, with its first refresh token.
import { type Client, mayUseGrant } from '../clients/client'
import { ConfigError } from '../errors'
import type { GrantRecord } from '../stores/token-store'
import { type GrantId, grantKey, newGrantId, subjectKey } from '../tokens/link'
import type { Approval } from './approval'
import { type ClaimNames, type ScopeClaims, withoutClaimsOf } from './claims'
import type { CodeTerms } from './code-terms'
import { absoluteLifetime, type Grant, idleLifetime, type Lifetimes, MIN_RECORD_SECONDS } from './grant'
import type { GrantCodec } from './grant-codec'
import { isResource } from './resources'
import { isScopeWord } from './scope'

export interface OpenedGrant {
  readonly grantId: GrantId
  readonly grant: Grant
  readonly record: GrantRecord
}

/** What a client asked for: the most that an approval can be. */
export interface Asked {
  readonly scope: readonly string[]
  readonly claims?: ClaimNames | undefined
  readonly resources?: readonly string[] | undefined
}

/** @throws {ConfigError} when the approval cannot be. */
export function openGrant(opening: {
  issuer: string
  client: Client
  approval: Approval
  /** `undefined` where the host alone decides. */
  asked: Asked | undefined
  code: CodeTerms | undefined
  scopeClaims: ScopeClaims
  codec: GrantCodec
  lifetimes: Lifetimes
  now: () => number
}): OpenedGrant {
  const { client, approval, asked, code, lifetimes } = opening
  checkApproval(approval, asked)
  const scope = approval.scope ?? asked?.scope ?? []
  const resources = approval.resources ?? asked?.resources ?? []
  const grant: Grant = {
    subject: approval.subject,
    scope,
    authTime: approval.authTime?.getTime() ?? opening.now(),
    sid: approval.sid,
    acr: approval.acr,
    amr: approval.amr,
    label: approval.label,
    claims: claimsOf(approval, asked, opening.scopeClaims),
    resources: resources.length > 0 ? resources : undefined,
    refreshable: mayRefresh(client, approval, scope, asked?.scope),
    code,
  }
  const owner = subjectKey(opening.issuer, grant.subject)
  const grantId = newGrantId(owner)
  // Without refresh tokens there is nothing to catch up, and a dead grant would only take the place of one in use.
  const least = grant.refreshable ? MIN_RECORD_SECONDS : absoluteLifetime(grant, lifetimes)
  const record: GrantRecord = {
    key: grantKey(grantId),
    subject: owner,
    client: client.client_id,
    data: opening.codec.encode(grant),
    link: code ? 0 : 1,
    // A code is followed by a move, which lengthens this.
    expiresIn: Math.max(least, code ? 0 : idleLifetime(grant, lifetimes)),
    endsIn: Math.max(least, absoluteLifetime(grant, lifetimes)),
  }
  return { grantId, grant, record }
}

/** Whoever denies a word of the scope denies what it stands for, by whichever name it is asked for. */
function claimsOf(
  { scope, claims }: Approval,
  asked: Asked | undefined,
  scopeClaims: ScopeClaims,
): ClaimNames | undefined {
  const denied = scope && asked ? asked.scope.filter((word) => !scope.includes(word)) : []
  const names = (member: keyof ClaimNames) =>
    claims
      ? (claims[member] ?? [])
      : withoutClaimsOf(denied, scope ?? [], asked?.claims?.[member] ?? [], scopeClaims)
  const [userinfo, idToken] = [names('userinfo'), names('idToken')]
  return userinfo.length + idToken.length > 0 ? { userinfo, idToken } : undefined
}

/**
 * OpenID Connect Core §11: for OpenID requests a refresh token needs `offline_access`. The client must be able to use
 * it, and the host must not have said no.
 */
function mayRefresh(
  client: Client,
  approval: Approval,
  scope: readonly string[],
  asked: readonly string[] = scope,
): boolean {
  return (
    mayUseGrant(client, 'refresh_token') &&
    approval.refreshToken !== false &&
    (scope.includes('offline_access') || !(asked.includes('openid') || scope.includes('openid')))
  )
}

function checkApproval(approval: Approval, asked: Asked | undefined): void {
  const { subject, scope, claims, resources, authTime, sid, acr, amr, label } = approval
  // OpenID Connect Core §2: sub is at most 255 ASCII characters.
  if (typeof subject !== 'string' || !/^[\x20-\x7E]{1,255}$/.test(subject)) {
    throw bad('subject', 'is not a name of 1 to 255 ASCII characters.', 'Use the stable id of the user.')
  }
  if (scope !== undefined && !(Array.isArray(scope) && scope.every(isScopeWord))) {
    throw bad('scope', 'is not a list of scope words.', 'Give a part of what was asked for, or leave it out.')
  }
  // RFC 6749 §3.3: less than was asked for must be told, and there is no way to tell nothing.
  if (asked && asked.scope.length > 0 && scope?.length === 0) {
    throw bad('scope', 'grants nothing of what was asked for.', "Answer { error: 'access_denied' } instead.")
  }
  if (asked && scope) refuseWider('scope', scope, asked.scope)
  for (const name of ['userinfo', 'idToken'] as const) {
    const given = claims?.[name]
    if (given !== undefined && !isListOfStrings(given))
      throw bad(
        `claims.${name}`,
        'is not a list of names.',
        'Give a part of what was asked for, or leave it out.',
      )
    if (asked && given) refuseWider(`claims.${name}`, given, asked.claims?.[name] ?? [])
  }
  if (resources !== undefined) {
    if (!Array.isArray(resources) || !resources.every(isResource))
      throw bad(
        'resources',
        'is not a list of absolute URIs.',
        'Give a part of what was asked for, or leave it out.',
      )
    // Without any, access tokens would be for an API that was not asked for.
    if (asked?.resources?.length && resources.length === 0)
      throw bad(
        'resources',
        'grants nothing of what was asked for.',
        "Answer { error: 'access_denied' } instead.",
      )
    if (asked) refuseWider('resources', resources, asked.resources ?? [])
  }
  if (authTime !== undefined && !(authTime instanceof Date && Number.isFinite(authTime.getTime()))) {
    throw bad('authTime', 'is not a valid Date.', 'Give the moment the user logged in, or leave it out.')
  }
  for (const [name, value] of Object.entries({ sid, acr, label })) {
    if (value !== undefined && typeof value !== 'string')
      throw bad(name, 'is not a string.', 'Leave it out where there is none.')
  }
  if (amr !== undefined && !isListOfStrings(amr)) {
    throw bad('amr', 'is not a list of strings.', 'Use the names of RFC 8176 §2, or leave it out.')
  }
}

function refuseWider(member: string, given: readonly string[], asked: readonly string[]): void {
  if (given.every((one) => asked.includes(one))) return
  throw new ConfigError(
    'wider_approval',
    `approval.${member}`,
    'holds more than was asked for.',
    `Grant a part of request.${member}.`,
  )
}

function isListOfStrings(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => typeof one === 'string')
}

function bad(member: string, fault: string, remedy: string): ConfigError {
  return new ConfigError('bad_approval', `approval.${member}`, fault, remedy)
}
