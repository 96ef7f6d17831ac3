// What a token that comes back is, whatever its kind: for revocation and introspection.
import type { GrantKey, TokenStore } from '../stores/token-store'
import { type AccessTokenClaims, verifyAccessToken } from '../tokens/access-token'
import { grantKey, type Links } from '../tokens/link'
import type { SigningKeys } from '../tokens/signing-keys'
import { locate } from './chain'
import { type FoundGrant, isRefreshable, type Lifetimes, secondsLeft } from './grant'
import type { GrantCodec } from './grant-codec'

export type FoundToken = FoundGrant &
  (
    | { readonly kind: 'access_token'; readonly claims: AccessTokenClaims }
    | { readonly kind: 'refresh_token'; readonly redeemable: boolean; readonly expiresIn: number }
  )

/** A token that this server made, whose grant is no more. */
export interface EndedToken {
  readonly kind: 'ended'
  readonly key: GrantKey
}

/**
 * The token and its grant; `undefined` when this server did not make it. A hint would save nothing: the two kinds are
 * told apart by their form (RFC 7009 §2.1).
 */
export type FindToken = (token: string) => Promise<FoundToken | EndedToken | undefined>

export function createFindToken(services: {
  issuer: string
  keys: SigningKeys
  links: Links
  codec: GrantCodec
  store: TokenStore
  lifetimes: Lifetimes
  overlap: number
  now: () => number
}): FindToken {
  const { issuer, keys, links, codec, store, lifetimes, overlap, now } = services

  return async (token) => {
    const link = links.decode('refresh_token', token)
    const claims = link
      ? undefined
      : verifyAccessToken(token, keys, { issuer, now: Math.floor(now() / 1000) })
    const key = link ? grantKey(link.grantId) : claims?.grant_id
    if (key === undefined) return undefined
    const stored = await store.find(key)
    if (!stored) return { kind: 'ended', key }
    const grant = codec.decode(stored)
    if (claims) {
      // The store's record is the truth of whose grant it is.
      if (claims.client_id !== stored.client || claims.sub !== grant.subject) return undefined
      return { kind: 'access_token', claims, grant, stored }
    }
    if (!link) return undefined
    const position = locate(link.number, stored, overlap)
    const redeemable = position !== 'spent' && position !== 'ahead' && isRefreshable(grant, stored, lifetimes)
    return {
      kind: 'refresh_token',
      redeemable,
      expiresIn: secondsLeft(grant, stored, lifetimes),
      grant,
      stored,
    }
  }
}
