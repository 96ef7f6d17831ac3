// A client's request that its user be logged out (OpenID Connect RP-Initiated Logout §2), read and checked.
import type { Client, FindClient } from '../clients/client'
import { OAuthError } from '../errors'
import type { EndpointRequest } from '../http/endpoint'
import { refuseForeignForm } from '../http/user-page'
import { parametersOf, refuseRepeated, words } from '../parameters'
import { verifyIdTokenHint } from '../tokens/id-token'
import type { SigningKeys } from '../tokens/signing-keys'

/** What the host's `logout` function sees. */
export interface LogoutRequest {
  /** The client that asks, as its ID token or `client_id` names it. A `client_id` alone proves nothing. */
  readonly client: Client | undefined
  /** The user and the session of the ID token that the client had (`id_token_hint`): not who is logged in here. */
  readonly subject: string | undefined
  readonly sid: string | undefined
  /** Where the browser will go: registered for this client, to the letter. */
  readonly postLogoutRedirectUri: string | undefined
  readonly state: string | undefined
  /** What the client says of the user, such as an e-mail address. Anybody can have made it up. */
  readonly logoutHint: string | undefined
  /** The languages that the user reads (BCP 47), the best first. */
  readonly uiLocales: readonly string[]
  /**
   * What a page of the host's posted back to the very URL of this request; `undefined` until then. Check a token of
   * your session in it against forged posts.
   */
  readonly form: URLSearchParams | undefined
  /**
   * Whether the user must be asked first (§2): the request does not come with an ID token of this very login, so that
   * any page may have sent the browser here. Without `sid` in your approvals, nobody can tell: always.
   *
   * @param login Who is logged in; `sid` as the approvals of this login have it.
   */
  mustAsk(login: { readonly subject: string; readonly sid?: string | undefined }): boolean
}

export type ReadLogoutRequest = (received: EndpointRequest) => Promise<LogoutRequest>

/** §2. By them a client's form is told from one of the host's pages, which posts to the URL of the request. */
const PARAMETERS = [
  'id_token_hint',
  'logout_hint',
  'client_id',
  'post_logout_redirect_uri',
  'state',
  'ui_locales',
]

export function createReadLogoutRequest(services: {
  issuer: string
  keys: SigningKeys
  findClient: FindClient
}): ReadLogoutRequest {
  const { issuer, keys, findClient } = services

  return async ({ query, form = new URLSearchParams(), req }) => {
    const holdsRequest = (parameters: URLSearchParams) => PARAMETERS.some((name) => parameters.has(name))
    const answered = form.size > 0 && (holdsRequest(query) || !holdsRequest(form))
    if (answered) refuseForeignForm(req)
    const parameters = parametersOf(answered || form.size === 0 ? query : form)
    refuseRepeated(parameters)

    // §4: what fails to verify is not used, and neither is the rest.
    const hint = parameters.get('id_token_hint')
    const hinted = hint === undefined ? undefined : verifyIdTokenHint(hint, keys, { issuer })
    if (hint !== undefined && !hinted)
      throw refused('The ID token hint is not an ID token of this server.', 'bad_id_token_hint')
    const clientId = parameters.get('client_id') ?? hinted?.aud
    if (hinted && hinted.aud !== clientId)
      throw refused('The ID token hint is for another client.', 'bad_id_token_hint')
    const client = clientId === undefined ? undefined : await findClient(clientId)
    if (clientId !== undefined && !client) throw refused('The client is unknown.', 'unknown_client')

    // §3: only to a registered URI, and only where it is known whose.
    const uri = parameters.get('post_logout_redirect_uri')
    if (uri !== undefined && !client?.post_logout_redirect_uris?.includes(uri))
      throw refused('The redirect URI is not registered for this client.', 'unknown_redirect_uri', clientId)

    return {
      client,
      subject: hinted?.sub,
      sid: hinted?.sid,
      postLogoutRedirectUri: uri,
      state: parameters.get('state'),
      logoutHint: parameters.get('logout_hint'),
      uiLocales: words(parameters.get('ui_locales')),
      form: answered ? form : undefined,
      mustAsk: (login) =>
        hinted?.sid === undefined || hinted.sub !== login.subject || hinted.sid !== login.sid,
    }
  }
}

function refused(description: string, reason: string, clientId?: string): OAuthError {
  return new OAuthError('invalid_request', description, { reason, clientId })
}
