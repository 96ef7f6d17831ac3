// How a grant begins: with a code, or, for a grant type of the host's own, with its first refresh token.
import { type Client, mayUseGrant } from '../clients/client'
import { ConfigError } from '../errors'
import type { GrantRecord } from '../stores/token-store'
import { type GrantId, grantKey, newGrantId, subjectKey } from '../tokens/link'
import type { Approval } from './approval'
import {
  absoluteLifetime,
  type CodeTerms,
  encodeGrant,
  type Grant,
  idleLifetime,
  type Lifetimes,
  MIN_RECORD_SECONDS,
} from './grant'

export interface OpenedGrant {
  readonly grantId: GrantId
  readonly grant: Grant
  readonly record: GrantRecord
}

/** @param scope What was granted; `approval.scope` is part of it. */
export function openGrant(opening: {
  issuer: string
  client: Client
  approval: Approval
  scope: readonly string[]
  code: CodeTerms | undefined
  lifetimes: Lifetimes
  now: () => number
}): OpenedGrant {
  const { client, approval, scope, code, lifetimes } = opening
  checkApproval(approval)
  const grant: Grant = {
    subject: approval.subject,
    scope,
    authTime: approval.authTime?.getTime() ?? opening.now(),
    sid: approval.sid,
    acr: approval.acr,
    amr: approval.amr,
    label: approval.label,
    refreshable: mayRefresh(client, approval, scope),
    code,
  }
  const owner = subjectKey(opening.issuer, grant.subject)
  const grantId = newGrantId(owner)
  const record: GrantRecord = {
    key: grantKey(grantId),
    subject: owner,
    client: client.client_id,
    data: encodeGrant(grant),
    link: code ? 0 : 1,
    // A code is followed by a move, which lengthens this.
    expiresIn: Math.max(MIN_RECORD_SECONDS, code ? 0 : idleLifetime(grant, lifetimes)),
    endsIn: Math.max(MIN_RECORD_SECONDS, absoluteLifetime(grant, lifetimes)),
  }
  return { grantId, grant, record }
}

/**
 * OpenID Connect Core §11: for OpenID requests a refresh token needs `offline_access`. The client must be able to use
 * it, and the host must not have said no.
 */
function mayRefresh(client: Client, approval: Approval, scope: readonly string[]): boolean {
  return (
    mayUseGrant(client, 'refresh_token') &&
    approval.refreshToken !== false &&
    (scope.includes('offline_access') || !scope.includes('openid'))
  )
}

function checkApproval(approval: Approval): void {
  // OpenID Connect Core §2: sub is at most 255 ASCII characters.
  if (typeof approval.subject !== 'string' || !/^[\x20-\x7E]{1,255}$/.test(approval.subject)) {
    throw new ConfigError(
      'bad_subject',
      'approval.subject',
      'is not a name of 1 to 255 ASCII characters.',
      'Use the stable id of the user.',
    )
  }
  if (
    approval.authTime !== undefined &&
    !(approval.authTime instanceof Date && Number.isFinite(approval.authTime.getTime()))
  ) {
    throw new ConfigError(
      'bad_auth_time',
      'approval.authTime',
      'is not a valid Date.',
      'Give the moment the user logged in, or leave it out.',
    )
  }
}
