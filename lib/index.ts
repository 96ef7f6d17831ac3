// The public surface.
export type { AuthorizationRequest, PkceRule } from './authorization/authorization-request'
export type { ResponseMode } from './authorization/authorization-response'
export type { RequestedClaims } from './authorization/claims-parameter'
export type { Denial, DenyRequest } from './authorization/deny-request'
export type { InteractiveRequest } from './authorization/interactive-request'
export type { IssueCode, IssuedCode } from './authorization/issue-code'
export type { Login, NextStep } from './authorization/next-step'
export type { ClientAuthMethod, ClientAuthRequest, ClientCredentials } from './client-auth/client-auth-method'
export type { Client, ClientKeySet, FindClient } from './clients/client'
export { createClientSecret, hashClientSecret } from './clients/client-secret'
export { createTokenRouter, type TokenRouter } from './create-token-router'
export type { AuthorizeFunction } from './endpoints/authorization'
export type { ErrorPage } from './endpoints/error-page'
export type { LogoutDecision, LogoutFunction } from './endpoints/logout'
export type { LogoutRequest } from './endpoints/logout-request'
export { ConfigError, OAuthError, type OAuthErrorCode, type OAuthErrorDetails } from './errors'
export type {
  AuthorizationDeniedEvent,
  CaughtUpEvent,
  CodeIssuedEvent,
  HostTroubleEvent,
  OnEvent,
  OverlapEvent,
  ReplayEvent,
  RequestRefusedEvent,
  RevokedEvent,
  StoreTroubleEvent,
  TokenRouterEvent,
  TokensIssuedEvent,
  WarningEvent,
} from './events'
export type { Account, AccountContext, FindAccount } from './grants/account'
export type { Approval } from './grants/approval'
export type { ClaimNames } from './grants/claims'
export type { Grant, Lifetimes } from './grants/grant'
export type { GrantContext, GrantType, Issuance, TokenRequest } from './grants/grant-type'
export type { Resources } from './grants/resources'
export type { UserGrant, UserGrantPage, UserGrants } from './grants/user-grants'
export type { CorsOption } from './http/cors'
export type { RateLimitOptions } from './http/rate-limit'
export type { AuthorizationResponse } from './http/respond'
export type { Middleware } from './http/router'
export type { Rotate, TokenRouterOptions } from './options'
export type { RequestParameters } from './parameters'
export type {
  AccessToken,
  RequireAccessToken,
  RequireAccessTokenOptions,
} from './resource-server/require-access-token'
export { type MemoryStoreOptions, memoryStore } from './stores/memory'
export { type RedisStoreOptions, redisStore } from './stores/redis'
export type { RedisClusterOptions } from './stores/redis-client'
export type { WaitForReplicas } from './stores/redis-replicas'
export type {
  GrantFilter,
  GrantKey,
  GrantMove,
  GrantPage,
  GrantRecord,
  Page,
  StoredGrant,
  TokenStore,
} from './stores/token-store'
export type { AccessTokenClaims } from './tokens/access-token'
export type { Issuable, TokenResponse } from './tokens/issue-tokens'
export type { Signer, SigningAlgorithm } from './tokens/signer'
export type { SigningKeyInput } from './tokens/signing-keys'
