// A user's grants, as the host shows and ends them: a page of signed-in devices, "log out everywhere".
import type { OnEvent } from '../events'
import { refuseUnknownNames } from '../option-checks'
import { isGrantKey, type Page, type StoredGrant, type TokenStore } from '../stores/token-store'
import { subjectKey } from '../tokens/link'
import { type Lifetimes, secondsLeft } from './grant'
import type { GrantCodec } from './grant-codec'

/** One grant of a user: one client, on one device. */
export interface UserGrant {
  /** Names the grant in `revoke`; knowing it gives nobody a token. */
  readonly id: string
  readonly clientId: string
  readonly scope: readonly string[]
  /** What the host called it in its approval. */
  readonly label: string | undefined
  readonly createdAt: Date
  readonly lastUsedAt: Date
  /** When it ends if it is not used again. */
  readonly expiresAt: Date
}

/** Some of a user's grants, and where the rest begins. */
export interface UserGrantPage {
  readonly grants: readonly UserGrant[]
  /** Hand it to `list` as `after` for the next page; `undefined` after the last. */
  readonly next: string | undefined
}

/** All methods reject with an {@link OAuthError} of status 503 when the store does not answer. */
export interface UserGrants {
  /** The live grants of a user. One whose code has not been exchanged yet is not among them. */
  list(subject: string, page?: Page): Promise<UserGrantPage>
  /** Ends one grant of this user; false when this user has none of that id. */
  revoke(subject: string, id: string): Promise<boolean>
  /** Ends all grants of this user, or those for one client, and says how many there were. */
  revokeAll(subject: string, filter?: { readonly clientId?: string }): Promise<number>
}

export function createUserGrants(services: {
  issuer: string
  store: TokenStore
  codec: GrantCodec
  lifetimes: Lifetimes
  now: () => number
  emit: OnEvent
}): UserGrants {
  const { issuer, store, codec, lifetimes, now, emit } = services

  return {
    async list(subject, page) {
      const { grants, next } = await store.list(subjectKey(issuer, subject), page)
      return { grants: grants.filter((stored) => stored.link > 0).flatMap(describe), next }
    },

    async revoke(subject, id) {
      // Asked by subject as well, so that a page cannot be made to end somebody else's grant.
      const stored = isGrantKey(id) ? await store.find(id) : undefined
      if (!stored || stored.subject !== subjectKey(issuer, subject)) return false
      const revoked = await store.revoke(id)
      if (revoked)
        emit({ type: 'grant.revoked', by: 'host', subject, clientId: stored.client, grant: id, count: 1 })
      return revoked
    },

    async revokeAll(subject, filter = {}) {
      // A misspelled filter would end everything.
      refuseUnknownNames('grants.revokeAll.', filter, { clientId: true })
      const { clientId } = filter
      const count = await store.revokeAll(
        subjectKey(issuer, subject),
        clientId === undefined ? {} : { client: clientId },
      )
      if (count > 0) emit({ type: 'grant.revoked', by: 'host', subject, clientId, grant: undefined, count })
      return count
    },
  }

  function describe(stored: StoredGrant): UserGrant[] {
    const grant = codec.decode(stored)
    const left = secondsLeft(grant, stored, lifetimes)
    if (left <= 0) return []
    const ago = (seconds: number) => new Date(now() - seconds * 1000)
    return [
      {
        id: stored.key,
        clientId: stored.client,
        scope: grant.scope,
        label: grant.label,
        createdAt: ago(stored.age),
        lastUsedAt: ago(stored.idle),
        expiresAt: ago(-left),
      },
    ]
  }
}
