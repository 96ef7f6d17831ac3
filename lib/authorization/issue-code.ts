// The end of an authorization: the user's approval becomes a grant, and link 0 of it is the code (RFC 6749 §4.1.2).
import { ConfigError } from '../errors'
import type { OnEvent } from '../events'
import type { Approval } from '../grants/approval'
import type { Lifetimes } from '../grants/grant'
import type { GrantCodec } from '../grants/grant-codec'
import { openGrant } from '../grants/open-grant'
import type { TokenStore } from '../stores/token-store'
import type { Links } from '../tokens/link'
import { type AuthorizationRequest, type AuthorizationRules, mayDoWithoutPkce } from './authorization-request'
import { redirectTo } from './redirect'

/** A code, and the redirect that carries it. */
export interface IssuedCode {
  readonly code: string
  /** The redirect URI with `code`, `state` and `iss` (RFC 9207 §2): where to send the browser. */
  readonly redirectTo: string
}

/**
 * Makes the code for a request that the user approved.
 *
 * @throws {ConfigError} when the approval cannot be.
 * @throws {OAuthError} 503 when the store does not answer.
 */
export type IssueCode = (request: AuthorizationRequest, approval: Approval) => Promise<IssuedCode>

export function createIssueCode(services: {
  issuer: string
  pkce: AuthorizationRules['pkce']
  links: Links
  codec: GrantCodec
  store: TokenStore
  lifetimes: Lifetimes
  now: () => number
  emit: OnEvent
}): IssueCode {
  const { issuer, pkce, links, codec, store, lifetimes, now, emit } = services

  return async (request, approval) => {
    // A host may have rebuilt the request from a session of its own, and lost what protects the code.
    if (request.codeChallenge === undefined && !mayDoWithoutPkce(request, pkce)) {
      throw new ConfigError(
        'missing_code_challenge',
        'request.codeChallenge',
        'is missing, and this client needs one.',
        'Hand on the whole request that readAuthorizationRequest gave.',
      )
    }
    const { grantId, grant, record } = openGrant({
      issuer,
      client: request.client,
      approval,
      asked: request.scope,
      codec,
      lifetimes,
      now,
      code: {
        lifetime: lifetimes.codeSeconds,
        redirectUri: request.redirectUri,
        redirectUriRequired: request.redirectUriRequired,
        challenge: request.codeChallenge ?? null,
        nonce: request.nonce,
      },
    })
    await store.insert(record)
    emit({
      type: 'code.issued',
      grant: record.key,
      clientId: record.client,
      subject: grant.subject,
      scope: grant.scope,
    })
    const code = links.encode('code', { grantId, number: 0 })
    return { code, redirectTo: redirectTo(request.redirectUri, { code, state: request.state, iss: issuer }) }
  }
}
