// Options in, router out: puts the parts together and mounts the endpoints.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createAuthorization } from './authorization/create-authorization'
import type { DenyRequest } from './authorization/deny-request'
import type { InteractiveRequest } from './authorization/interactive-request'
import type { IssueCode } from './authorization/issue-code'
import { createAuthenticateClient } from './client-auth/authenticate'
import { checkSigningAlgorithms } from './clients/check-clients'
import { isPublic } from './clients/client'
import { createFindClient } from './clients/find-client'
import { authorizationEndpoint } from './endpoints/authorization'
import { createReadClientRequest } from './endpoints/client-request'
import { createShowError } from './endpoints/error-page'
import { introspectionEndpoint } from './endpoints/introspection'
import { jwksEndpoint } from './endpoints/jwks'
import { logoutEndpoint } from './endpoints/logout'
import { createReadLogoutRequest } from './endpoints/logout-request'
import { endpointUrl, metadata, metadataEndpoint, wellKnownPlaces } from './endpoints/metadata'
import { pushedAuthorizationEndpoint } from './endpoints/pushed-authorization'
import { revocationEndpoint } from './endpoints/revocation'
import { tokenEndpoint } from './endpoints/token'
import { userinfoEndpoint } from './endpoints/userinfo'
import { createEmitter, type OnEvent } from './events'
import { createAccountFor } from './grants/account'
import { authorizationCode } from './grants/authorization-code'
import { createFindToken } from './grants/find-token'
import { createGrantCodec } from './grants/grant-codec'
import { bindGrantType, type ChainContext, type GrantContext, type GrantType } from './grants/grant-type'
import { createNewGrant } from './grants/new-grant'
import { refreshToken } from './grants/refresh-token'
import { createAllowResources } from './grants/resources'
import { createUserGrants, type UserGrants } from './grants/user-grants'
import { inTime } from './host'
import { queryOf } from './http/endpoint'
import { readForm } from './http/form'
import { createRateLimits } from './http/rate-limit'
import { type Middleware, mountEndpoints } from './http/router'
import { isRedisClient } from './option-checks'
import { type ResolvedOptions, resolveOptions, type TokenRouterOptions } from './options'
import {
  createRequireAccessToken,
  type RequireAccessToken,
  type RequireAccessTokenOptions,
} from './resource-server/require-access-token'
import { GuardedStore } from './stores/guarded-store'
import { redisStore } from './stores/redis'
import type { TokenStore } from './stores/token-store'
import { createIssueTokens } from './tokens/issue-tokens'
import { createLinks } from './tokens/link'
import { createSignJwt } from './tokens/sign-jwt'
import { createSigningKeys } from './tokens/signing-keys'

/** What `createTokenRouter` makes: mount it at the path of the issuer. */
export interface TokenRouter extends Middleware {
  /** The discovery documents, which must sit at the root of the host: `app.use(oauth.wellKnown)`. */
  readonly wellKnown: Middleware
  /**
   * Reads and checks the request that came to an authorize page of the host's own, at `authorizationEndpoint`.
   *
   * @throws {OAuthError} With a `response` where the client may be told; without it, show the error to the user.
   */
  readAuthorizationRequest(req: IncomingMessage, res: ServerResponse): Promise<InteractiveRequest>
  /**
   * Makes the code for a request that the user approved.
   *
   * @throws {ConfigError} when the approval cannot be. @throws {OAuthError} 503 when the store does not answer.
   */
  readonly issueCode: IssueCode
  /** The response to such a request when the user said no. */
  readonly deny: DenyRequest
  /** A user's grants, to list and to end. */
  readonly grants: UserGrants
  /** Middleware that lets requests with a good access token of this server pass. */
  requireAccessToken(options?: RequireAccessTokenOptions): RequireAccessToken
  /** Closes the store and the limits. Close the HTTP server first: what is in flight still needs them. */
  close(): Promise<void>
}

/**
 * Makes a router with the OAuth 2.0 and OpenID Connect endpoints.
 *
 * @example
 * const oauth = createTokenRouter({ issuer, secret, signingKeys, clients, findAccount, authorize })
 * app.use('/oauth', oauth)
 * app.use(oauth.wellKnown)
 *
 * @throws {ConfigError} when an option is wrong.
 */
export function createTokenRouter(given: TokenRouterOptions): TokenRouter {
  const options = resolveOptions(given)
  const { issuer, audience, scopes, scopeClaims } = options
  const emit = createEmitter(options.onEvent)
  const keys = createSigningKeys(options.signingKeys)
  if (typeof options.clients !== 'function') checkSigningAlgorithms(options.clients, keys.algorithms)
  const limits = createRateLimits(options.rateLimit, emit)
  // Last of what may find a fault: it opens a connection.
  const store = new GuardedStore(openStore(options.store, emit), options.storeTimeoutSeconds, emit)

  const core = {
    issuer,
    audience,
    scopeClaims,
    lifetimes: options.lifetimes,
    overlap: options.overlap,
    codeReplaySeconds: options.codeReplaySeconds,
    rotates: rotation(options),
    now: options.now,
    emit,
    keys,
    links: createLinks(issuer, options.secrets),
    codec: createGrantCodec(emit),
    signJwt: createSignJwt(keys, emit),
    findClient: createFindClient(options.clients, options, emit),
    accountFor: createAccountFor(options.findAccount, scopes, scopeClaims, emit),
  }
  const findToken = createFindToken({ ...core, store })
  const grants = createUserGrants({ ...core, store })
  const authorization = createAuthorization({
    ...core,
    store,
    page: options.authorizationEndpoint ?? endpointUrl(issuer, '/authorize'),
    secrets: options.secrets,
    scopes,
    pkce: options.pkce,
    requirePushed: options.requirePushedAuthorizationRequests,
    allowResources: createAllowResources(audience, options.resources, emit),
  })
  const authenticate = createAuthenticateClient(options.clientAuthMethods, core.findClient, emit)
  const readClientRequest = createReadClientRequest(authenticate)
  const { lifetimes, overlap, codeReplaySeconds, rotates, links, codec, now } = core
  // Member by member: to spread so many, for each request, takes an eighth of all the time that is ours.
  const chainContext = (): ChainContext => ({
    store: store.forOneRequest(),
    links,
    codec,
    lifetimes,
    audience,
    overlap,
    codeReplaySeconds,
    rotates,
    now,
    emit,
  })
  const ownContext = (): GrantContext => {
    const whole = store.forOneRequest()
    const shortLived = {
      put: whole.put.bind(whole),
      get: whole.get.bind(whole),
      take: whole.take.bind(whole),
    }
    return { issuer, store: shortLived, emit, newGrant: createNewGrant({ ...core, store: whole }) }
  }
  const grantTypes = new Map([
    ...[authorizationCode, refreshToken].map((one) => [one.name, bindGrantType(one, chainContext)] as const),
    ...options.ownGrantTypes.map(
      (one) => [one.name, bindGrantType(inTimeOnly(one, emit), ownContext)] as const,
    ),
  ])
  const showError = (occasion: 'sign-in' | 'sign-out') => createShowError(options.errorPage, occasion, emit)

  // What is given is switched on.
  const { authorize, logout } = options
  const authorizes = authorize !== undefined || options.authorizationEndpoint !== undefined
  const endpoints = [
    authorize &&
      authorizationEndpoint({ ...authorization, authorize, showError: showError('sign-in'), emit }),
    authorizes && pushedAuthorizationEndpoint({ ...core, ...authorization, readClientRequest }),
    tokenEndpoint({ ...core, readClientRequest, grantTypes, issueTokens: createIssueTokens(core) }),
    revocationEndpoint({ readClientRequest, findToken, store, emit }),
    introspectionEndpoint({ ...core, readClientRequest, findToken }),
    scopes.includes('openid') && userinfoEndpoint({ ...core, findToken }),
    logout &&
      logoutEndpoint({
        readRequest: createReadLogoutRequest(core),
        logout,
        grants,
        showError: showError('sign-out'),
        emit,
      }),
    jwksEndpoint(keys),
  ].filter((endpoint) => typeof endpoint === 'object')
  const document = metadata({ ...options, endpoints, keys })
  const places = wellKnownPlaces(scopes)
  const path = new URL(issuer).pathname.replace(/\/$/, '')
  const services = { issuer, cors: options.cors, limits, emit }

  const router = mountEndpoints(
    [...endpoints, ...places.map((place) => metadataEndpoint(place, document))],
    { path: options.mountPath, usage: `app.use('${options.mountPath || '/'}', oauth)` },
    services,
  )
  const wellKnown = mountEndpoints(
    places.map((place) => metadataEndpoint(place + path, document)),
    { path: '', usage: 'app.use(oauth.wellKnown)' },
    services,
  )

  return Object.assign(router, {
    wellKnown,
    async readAuthorizationRequest(req: IncomingMessage, res: ServerResponse) {
      const form = req.method === 'POST' ? await readForm(req) : undefined
      return authorization.readRequest({ query: queryOf(req), form, req, res })
    },
    issueCode: authorization.issueCode,
    deny: authorization.deny,
    grants,
    requireAccessToken: createRequireAccessToken({ ...core, store }),
    async close() {
      limits.byAddress.close()
      limits.byClient.close()
      await store.close()
    },
  })
}

/** A grant type of the host's may hang, and those of the library cannot. */
function inTimeOnly(grantType: GrantType, emit: OnEvent): GrantType {
  const { name, parameters } = grantType
  return {
    name,
    parameters,
    handle: (request, context) => inTime('grants', emit, () => grantType.handle(request, context)),
  }
}

/** `rotate` as a question about one client (RFC 9700 §4.14.2). */
function rotation({ rotate }: ResolvedOptions): ChainContext['rotates'] {
  if (typeof rotate === 'function') return rotate
  return { always: () => true, public: isPublic, never: () => false }[rotate]
}

function openStore(store: ResolvedOptions['store'], emit: OnEvent): TokenStore {
  const onWarning = (code: string, message: string) => emit({ type: 'warning', code, message })
  if (store === undefined) return redisStore({ onWarning })
  if (typeof store === 'string') return redisStore({ url: store, onWarning })
  return isRedisClient(store) ? redisStore({ client: store, onWarning }) : store
}
