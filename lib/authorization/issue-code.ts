// The end of an authorization: the user's approval becomes a grant, and link 0 of it is the code (RFC 6749 §4.1.2).
import { ConfigError, OAuthError } from '../errors'
import type { OnEvent } from '../events'
import type { Approval } from '../grants/approval'
import type { Lifetimes } from '../grants/grant'
import type { GrantCodec } from '../grants/grant-codec'
import { openGrant } from '../grants/open-grant'
import type { AuthorizationResponse } from '../http/respond'
import type { TokenStore } from '../stores/token-store'
import type { Links } from '../tokens/link'
import { type AuthorizationRequest, mayDoWithoutPkce, type PkceRule } from './authorization-request'
import type { RespondTo } from './authorization-response'
import { loginFault } from './next-step'
import type { PushedRequests } from './pushed-requests'

/** A code, and the response that carries it with `state` and `iss` (RFC 9207 §2). */
export interface IssuedCode extends AuthorizationResponse {
  readonly code: string
}

/**
 * Makes the code for a request that the user approved.
 *
 * @throws {ConfigError} when the approval cannot be.
 * @throws {OAuthError} `login_required` when the login is not as the request wants it; `invalid_request_uri` when a
 * pushed request was answered already; 503 when the store does not answer.
 */
export type IssueCode = (request: AuthorizationRequest, approval: Approval) => Promise<IssuedCode>

export function createIssueCode(services: {
  issuer: string
  pkce: PkceRule
  links: Links
  codec: GrantCodec
  store: TokenStore
  respondTo: RespondTo
  pushedRequests: PushedRequests
  lifetimes: Lifetimes
  now: () => number
  emit: OnEvent
}): IssueCode {
  const { issuer, pkce, links, codec, store, respondTo, pushedRequests, lifetimes, now, emit } = services

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
      asked: request,
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
    refuseOtherLogin(request, { ...grant, authTime: new Date(grant.authTime) })

    const code = links.encode('code', { grantId, number: 0 })
    // Before the store is asked: it may have to be signed, and a key may fail.
    const response = await respondTo(request, { code })
    // Before there is a grant: of several approvals of one pushed request, one gets a code.
    await pushedRequests.spend(request.requestUri)
    await store.insert(record)
    emit({
      type: 'code.issued',
      grant: record.key,
      clientId: record.client,
      subject: grant.subject,
      scope: grant.scope,
    })
    return { ...response, code }
  }

  /** A client that asked for a fresh login, or for one user, must not be told of another. */
  function refuseOtherLogin(request: AuthorizationRequest, login: Parameters<typeof loginFault>[1]): void {
    const fault = loginFault(request, login)
    if (!fault) return
    const cause = new Error(
      'A login was approved that the request does not allow; ask request.nextStep first.',
    )
    emit({ type: 'host.trouble', operation: 'authorize', cause })
    throw new OAuthError(fault.error, fault.description, { cause })
  }
}
