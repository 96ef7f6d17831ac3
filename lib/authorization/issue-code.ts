// The end of an authorization: the user's approval becomes a grant, and link 0 of it is the code (RFC 6749 §4.1.2).
import { ConfigError, OAuthError } from '../errors'
import type { OnEvent } from '../events'
import type { Approval } from '../grants/approval'
import type { ScopeClaims } from '../grants/claims'
import { codeTerms } from '../grants/code-terms'
import type { Lifetimes } from '../grants/grant'
import type { GrantCodec } from '../grants/grant-codec'
import { openGrant } from '../grants/open-grant'
import type { AuthorizationResponse } from '../http/respond'
import type { TokenStore } from '../stores/token-store'
import type { Links } from '../tokens/link'
import { type AuthorizationRequest, mayDoWithoutPkce, type PkceRule } from './authorization-request'
import { type RespondTo, withResponse } from './authorization-response'
import { type Login, loginFault } from './next-step'
import type { PushedRequests } from './pushed-requests'

/** A code, and the response that carries it with `state` and `iss` (RFC 9207 §2). */
export interface IssuedCode extends AuthorizationResponse {
  readonly code: string
}

/**
 * Makes the code for a request that the user approved.
 *
 * @throws {ConfigError} when the approval cannot be.
 * @throws {OAuthError} `login_required`, with a `response` for the client, when the login is not as the request wants
 * it: that answers the request. `invalid_request_uri` when a pushed request was answered already; 503 when the store
 * does not answer.
 */
export type IssueCode = (request: AuthorizationRequest, approval: Approval) => Promise<IssuedCode>

/** Milliseconds that a host has for its answer after `nextStep`: what was recent enough then is so still. */
const DECIDED_WITHIN = 10_000

export function createIssueCode(services: {
  issuer: string
  pkce: PkceRule
  links: Links
  codec: GrantCodec
  store: TokenStore
  respondTo: RespondTo
  pushedRequests: PushedRequests
  scopeClaims: ScopeClaims
  lifetimes: Lifetimes
  now: () => number
  emit: OnEvent
}): IssueCode {
  const { issuer, pkce, links, codec, store, respondTo, pushedRequests, scopeClaims, lifetimes, now, emit } =
    services

  return async (request, approval) => {
    if (
      approval.authTime === undefined &&
      (request.maxAge !== undefined || request.prompt.includes('login'))
    ) {
      throw new ConfigError(
        'missing_auth_time',
        'approval.authTime',
        'is missing, and the client asks when the user logged in.',
        'Give the moment of the last login.',
      )
    }
    const { grantId, grant, record } = openGrant({
      issuer,
      client: request.client,
      approval,
      asked: request,
      scopeClaims,
      codec,
      lifetimes,
      now,
      code: codeTerms(request, lifetimes.codeSeconds),
    })
    // Of what was granted: without `openid` there is no nonce. And a host may have rebuilt the request from a session of
    // its own, and lost what protects the code.
    const { client, nonce } = request
    if (
      request.codeChallenge === undefined &&
      !mayDoWithoutPkce({ client, scope: grant.scope, nonce }, pkce)
    ) {
      throw new ConfigError(
        'missing_code_challenge',
        'request.codeChallenge',
        'is missing, and this client needs one.',
        'Hand on the whole request that readAuthorizationRequest gave.',
      )
    }
    const { subject, acr } = grant
    await refuseOtherLogin(request, { subject, acr, authTime: new Date(grant.authTime) })

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
      subject,
      scope: grant.scope,
    })
    return { ...response, code }
  }

  /** A client that asked for a fresh login, or for one user, must not be told of another. */
  async function refuseOtherLogin(request: AuthorizationRequest, login: Login): Promise<void> {
    const { prompt, maxAge, expectedSubjects, essentialAcr } = request
    const startedAt = new Date(request.startedAt) // a session makes a string of it
    const wanted = { prompt, maxAge, expectedSubjects, essentialAcr, startedAt }
    const fault = loginFault(wanted, login, new Date(now() - DECIDED_WITHIN))
    if (!fault) return
    const cause = new Error(
      'A login was approved that the request does not allow; ask request.nextStep first.',
    )
    emit({ type: 'host.trouble', operation: 'authorize', cause })
    const refusal = new OAuthError(fault.error, fault.description, { cause })
    const told = await withResponse(refusal, request, respondTo)
    await pushedRequests.spend(request.requestUri)
    throw told
  }
}
