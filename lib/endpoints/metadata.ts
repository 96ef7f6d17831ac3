// The discovery document (RFC 8414 §2, OpenID Connect Discovery §3), computed from what is switched on.
import { RESPONSE_MODES } from '../authorization/authorization-response'
import type { ClientAuthMethod } from '../client-auth/client-auth-method'
import { claimsOfScope, type ScopeClaims } from '../grants/claims'
import { CODE_CHALLENGE_METHOD } from '../grants/pkce'
import type { Endpoint } from '../http/endpoint'
import { ALGORITHMS, type SigningKeys } from '../tokens/signing-keys'

export interface MetadataOptions {
  readonly issuer: string
  /** Where the host has an authorize page of its own. */
  readonly authorizationEndpoint: string | undefined
  readonly endpoints: readonly Endpoint[]
  readonly grantTypes: readonly { readonly name: string }[]
  readonly clientAuthMethods: readonly ClientAuthMethod[]
  readonly scopes: readonly string[]
  readonly scopeClaims: ScopeClaims
  readonly requirePushedAuthorizationRequests: boolean
  readonly keys: SigningKeys
}

/** By the registered name of its metadata, each endpoint that can be advertised. */
const ADVERTISED: Readonly<Record<string, string>> = {
  authorization: 'authorization_endpoint',
  pushed_authorization_request: 'pushed_authorization_request_endpoint',
  token: 'token_endpoint',
  revocation: 'revocation_endpoint',
  introspection: 'introspection_endpoint',
  userinfo: 'userinfo_endpoint',
  logout: 'end_session_endpoint',
  jwks: 'jwks_uri',
}

/** OpenID Connect Core §3.1.2.1. */
const PROMPTS = ['none', 'login', 'consent', 'select_account']

/** What the library itself says of a user and a login (OpenID Connect Core §2). */
const CLAIMS = ['sub', 'auth_time', 'acr', 'amr', 'sid']

export function metadata({
  issuer,
  authorizationEndpoint,
  endpoints,
  grantTypes,
  clientAuthMethods,
  scopes,
  scopeClaims,
  requirePushedAuthorizationRequests,
  keys,
}: MetadataOptions): object {
  const authorizes =
    authorizationEndpoint !== undefined || endpoints.some(({ name }) => name === 'authorization')
  const openid = knowsOpenId(scopes)
  const authMethods = clientAuthMethods.map(({ name }) => name)
  const document = {
    issuer,
    ...(authorizationEndpoint !== undefined && { authorization_endpoint: authorizationEndpoint }),
    ...Object.fromEntries(
      endpoints.flatMap(({ name, path }) =>
        ADVERTISED[name] ? [[ADVERTISED[name], endpointUrl(issuer, path)]] : [],
      ),
    ),
    scopes_supported: scopes,
    response_types_supported: authorizes ? ['code'] : [],
    response_modes_supported: authorizes ? RESPONSE_MODES : [],
    authorization_signing_alg_values_supported: authorizes ? keys.algorithms : [],
    prompt_values_supported: authorizes ? PROMPTS : [],
    // RFC 8414 §2: whoever names this grant type names an authorization endpoint.
    grant_types_supported: grantTypes
      .map(({ name }) => name)
      .filter((name) => authorizes || name !== 'authorization_code'),
    token_endpoint_auth_methods_supported: authMethods,
    revocation_endpoint_auth_methods_supported: authMethods,
    // RFC 7662 §2.1: a public client cannot ask.
    introspection_endpoint_auth_methods_supported: authMethods.filter((name) => name !== 'none'),
    code_challenge_methods_supported: authorizes ? [CODE_CHALLENGE_METHOD] : [],
    ...(authorizes && { authorization_response_iss_parameter_supported: true }),
    // Of ID tokens and userinfo, which there are for the scope openid only.
    ...(openid && {
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: keys.algorithms,
      claim_types_supported: ['normal'],
      claims_supported: [...new Set([...CLAIMS, ...claimsOfScope(scopes, scopeClaims)])],
    }),
    ...(authorizes && { require_pushed_authorization_requests: requirePushedAuthorizationRequests }),
    // For clients with registered keys.
    request_parameter_supported: authorizes,
    request_object_signing_alg_values_supported: authorizes ? ALGORITHMS : [],
    // OpenID Connect Discovery §3: its default is true. Pushed requests do not need it (RFC 9126 §5).
    request_uri_parameter_supported: false,
    claims_parameter_supported: authorizes && openid,
  }
  // RFC 8414 §3.2, OpenID Connect Discovery §4.2: members with zero elements are left out.
  return Object.fromEntries(
    Object.entries(document).filter(([, value]) => !Array.isArray(value) || value.length > 0),
  )
}

export function endpointUrl(issuer: string, path: string): string {
  return issuer.replace(/\/$/, '') + path
}

/** The document at one of its places. Browser clients read it, so it is open to other origins. */
export function metadataEndpoint(path: string, document: object): Endpoint {
  return {
    name: 'metadata',
    path,
    methods: ['GET', 'HEAD'],
    cors: true,
    guessable: false,
    handle: async () => ({
      status: 200,
      headers: { 'Cache-Control': 'public, max-age=300' },
      body: document,
    }),
  }
}

/**
 * RFC 8414 §3.1: inserted between host and path of the issuer. OpenID Connect Discovery §4: appended to the path; only
 * where there is OpenID Connect.
 */
export function wellKnownPlaces(scopes: readonly string[]): readonly string[] {
  return [
    '/.well-known/oauth-authorization-server',
    ...(knowsOpenId(scopes) ? ['/.well-known/openid-configuration'] : []),
  ]
}

function knowsOpenId(scopes: readonly string[]): boolean {
  return scopes.includes('openid')
}
