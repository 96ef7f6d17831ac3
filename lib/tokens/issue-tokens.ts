// Turns what a grant type decided into tokens. Signs only: nothing in the store has changed yet.
import type { GrantKey } from '../stores/token-store'
import { ACCESS_TOKEN_TYPE, accessTokenClaims } from './access-token'
import { type Authentication, idTokenClaims } from './id-token'
import type { SignJwt } from './sign-jwt'
import type { SigningKeys } from './signing-keys'

/** What is to be issued. */
export interface Issuable {
  readonly client: { readonly client_id: string; readonly id_token_signed_response_alg?: unknown }
  readonly grant: Authentication
  /** Names the grant in the access token. */
  readonly key: GrantKey
  /** Of the access token: the grant's or narrower. */
  readonly scope: readonly string[]
  /** Of the access token: the APIs that it is for. */
  readonly audience: string | readonly string[]
  /** Of the ID token, on the code exchange only (OpenID Connect Core §12.2). */
  readonly nonce: string | undefined
  readonly refreshToken: string | undefined
  /** Seconds after which the grant ends whatever happens: no access token outlives its grant. */
  readonly endsIn: number
}

/** Claims of the host's own. */
export interface HostClaims {
  readonly accessTokenClaims?: Readonly<Record<string, unknown>> | undefined
  readonly idTokenClaims?: Readonly<Record<string, unknown>> | undefined
}

/** A successful answer of the token endpoint (RFC 6749 §5.1, OpenID Connect Core §3.1.3.3). */
export interface TokenResponse {
  readonly access_token: string
  readonly token_type: 'Bearer'
  /** Seconds. */
  readonly expires_in: number
  readonly scope?: string | undefined
  readonly refresh_token?: string | undefined
  readonly id_token?: string | undefined
}

/** Signs the tokens of a decision. @throws {OAuthError} 503 when a key cannot sign. */
export type IssueTokens = (issuable: Issuable, claims: HostClaims) => Promise<TokenResponse>

export interface IssueTokensOptions {
  readonly issuer: string
  readonly keys: SigningKeys
  readonly lifetimes: { readonly accessTokenSeconds: number; readonly idTokenSeconds: number }
  readonly signJwt: SignJwt
  readonly now: () => number
}

export function createIssueTokens({
  issuer,
  keys,
  lifetimes,
  signJwt,
  now,
}: IssueTokensOptions): IssueTokens {
  return async (issuable, claims) => {
    const { grant, client, scope } = issuable
    const issuedAt = Math.floor(now() / 1000)
    // No access token outlives its grant.
    const expiresIn = Math.floor(Math.min(lifetimes.accessTokenSeconds, issuable.endsIn))

    const accessToken = await signJwt(
      ACCESS_TOKEN_TYPE,
      accessTokenClaims({
        issuer,
        audience: issuable.audience,
        subject: grant.subject,
        clientId: client.client_id,
        scope,
        grant: issuable.key,
        now: issuedAt,
        lifetime: expiresIn,
        hostClaims: claims.accessTokenClaims,
      }),
    )

    let idToken: string | undefined
    if (scope.includes('openid')) {
      const registered = client.id_token_signed_response_alg
      const signer = keys.signer(typeof registered === 'string' ? registered : undefined)
      idToken = await signJwt(
        'JWT',
        idTokenClaims({
          issuer,
          clientId: client.client_id,
          grant,
          nonce: issuable.nonce,
          accessToken,
          alg: signer?.alg ?? 'RS256',
          now: issuedAt,
          lifetime: lifetimes.idTokenSeconds,
          hostClaims: claims.idTokenClaims,
        }),
        signer?.alg ?? String(registered),
      )
    }

    return {
      access_token: accessToken,
      token_type: 'Bearer',
      expires_in: expiresIn,
      scope: scope.length > 0 ? scope.join(' ') : undefined,
      refresh_token: issuable.refreshToken,
      id_token: idToken,
    }
  }
}
