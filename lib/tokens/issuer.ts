// Turns what a grant type decided into tokens. Signs only: nothing in the store has changed yet.

import { unavailable } from '../errors'
import type { OnEvent } from '../events'
import type { Account } from '../grants/approval'
import type { Issuance } from '../grants/grant-type'
import { ACCESS_TOKEN_TYPE, accessTokenClaims } from './access-token'
import { idTokenClaims } from './id-token'
import type { SigningKeys } from './signing-keys'

/** A successful answer of the token endpoint (RFC 6749 §5.1, OpenID Connect Core §3.1.3.3). */
export interface TokenResponse {
  readonly access_token: string
  readonly token_type: 'Bearer'
  /** Seconds. */
  readonly expires_in: number
  readonly scope?: string
  readonly refresh_token?: string
  readonly id_token?: string
}

export interface Issuer {
  /** @throws {OAuthError} 503 when a key cannot sign. */
  issue(issuance: Issuance, account: Account): Promise<TokenResponse>
}

export interface IssuerOptions {
  readonly issuer: string
  readonly audience: string | readonly string[]
  readonly keys: SigningKeys
  readonly lifetimes: { readonly accessTokenSeconds: number; readonly idTokenSeconds: number }
  readonly now: () => number
  readonly emit: OnEvent
}

export function createIssuer({ issuer, audience, keys, lifetimes, now, emit }: IssuerOptions): Issuer {
  async function sign(typ: string, claims: Readonly<Record<string, unknown>>, alg?: string): Promise<string> {
    try {
      const signer = keys.signer(alg)
      if (!signer) throw new Error(`No signing key makes ${alg}.`)
      return await signer.sign(typ, claims)
    } catch (cause) {
      emit({ type: 'host.trouble', operation: 'sign', cause })
      throw unavailable('signing_failed', cause)
    }
  }

  return {
    async issue(issuance, account) {
      const { grant, client, scope } = issuance
      const issuedAt = Math.floor(now() / 1000)
      // No access token outlives its grant.
      const expiresIn = Math.max(1, Math.floor(Math.min(lifetimes.accessTokenSeconds, issuance.endsIn)))

      const accessToken = await sign(
        ACCESS_TOKEN_TYPE,
        accessTokenClaims({
          issuer,
          audience,
          subject: grant.subject,
          clientId: client.client_id,
          scope,
          grant: issuance.key,
          now: issuedAt,
          lifetime: expiresIn,
          hostClaims: account.accessTokenClaims,
        }),
      )

      let idToken: string | undefined
      if (scope.includes('openid')) {
        const registered = client.id_token_signed_response_alg
        const signer = keys.signer(typeof registered === 'string' ? registered : undefined)
        idToken = await sign(
          'JWT',
          idTokenClaims({
            issuer,
            clientId: client.client_id,
            grant,
            nonce: issuance.nonce,
            accessToken,
            alg: signer?.alg ?? 'RS256',
            now: issuedAt,
            lifetime: lifetimes.idTokenSeconds,
            hostClaims: account.idTokenClaims,
          }),
          signer?.alg ?? String(registered),
        )
      }

      return {
        access_token: accessToken,
        token_type: 'Bearer',
        expires_in: expiresIn,
        ...(scope.length > 0 && { scope: scope.join(' ') }),
        ...(issuance.refreshToken !== undefined && { refresh_token: issuance.refreshToken }),
        ...(idToken !== undefined && { id_token: idToken }),
      }
    },
  }
}
