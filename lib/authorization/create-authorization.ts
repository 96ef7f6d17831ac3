// Puts together what leads from an authorization request to the response that answers it.
import type { FindClient } from '../clients/client'
import type { OnEvent } from '../events'
import type { ScopeClaims } from '../grants/claims'
import type { Lifetimes } from '../grants/grant'
import type { GrantCodec } from '../grants/grant-codec'
import type { AllowResources } from '../grants/resources'
import type { TokenStore } from '../stores/token-store'
import type { Links } from '../tokens/link'
import type { SignJwt } from '../tokens/sign-jwt'
import type { SigningKeys } from '../tokens/signing-keys'
import type { PkceRule } from './authorization-request'
import { createRespondTo, type RespondTo } from './authorization-response'
import { createDenyRequest, type DenyRequest } from './deny-request'
import { createReadInteractiveRequest, type ReadInteractiveRequest } from './interactive-request'
import { createIssueCode, type IssueCode } from './issue-code'
import { createPushedRequests, type PushedRequests } from './pushed-requests'
import { createReadAskedParameters } from './read-asked-parameters'
import { type AuthorizationRules, readAuthorizationRequest } from './read-authorization-request'
import { createVisits } from './visits'

export interface Authorization {
  readonly rules: AuthorizationRules
  readonly pushedRequests: PushedRequests
  readonly readRequest: ReadInteractiveRequest
  readonly issueCode: IssueCode
  readonly deny: DenyRequest
  readonly respondTo: RespondTo
}

export function createAuthorization(services: {
  issuer: string
  /** The URL of the page that answers authorization requests. */
  page: string
  secrets: readonly Buffer[]
  scopes: readonly string[]
  scopeClaims: ScopeClaims
  pkce: PkceRule
  requirePushed: boolean
  lifetimes: Lifetimes
  keys: SigningKeys
  links: Links
  codec: GrantCodec
  store: TokenStore
  findClient: FindClient
  allowResources: AllowResources
  signJwt: SignJwt
  now: () => number
  emit: OnEvent
}): Authorization {
  const visits = createVisits(services)
  const respondTo = createRespondTo({ ...services, visits })
  const pushedRequests = createPushedRequests(services)
  const readAsked = createReadAskedParameters({ ...services, pushedRequests })
  const rules = { ...services, readAsked, respondTo }
  return {
    rules,
    pushedRequests,
    readRequest: createReadInteractiveRequest({
      ...services,
      readRequest: (parameters, visit) => readAuthorizationRequest(parameters, visit, rules),
      visits,
    }),
    issueCode: createIssueCode({ ...services, respondTo, pushedRequests }),
    deny: createDenyRequest({ ...services, respondTo, pushedRequests }),
    respondTo,
  }
}
