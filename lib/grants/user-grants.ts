// A user's grants, as the host shows and ends them: a page of signed-in devices, "log out everywhere".
import type { FindClient } from '../clients/client'
import { refuseUnknownNames, text } from '../config-values'
import { ConfigError } from '../errors'
import type { OnEvent } from '../events'
import { isGrantKey, type Page, type StoredGrant, type TokenStore } from '../stores/token-store'
import { grantKey, newGrantId, subjectKey } from '../tokens/link'
import { type Grant, isHonoured, type Lifetimes, secondsLeft } from './grant'
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
  /**
   * The live grants of a user, but those whose code has not been exchanged yet. `page.limit` is 1 to 1000. For an
   * `after` that is no `next` of a page the answer is empty. @throws {ConfigError}
   */
  list(subject: string, page?: Page): Promise<UserGrantPage>
  /** Ends one grant of this user; false when this user has none of that id. */
  revoke(subject: string, id: string): Promise<boolean>
  /**
   * Ends all grants of this user, or those for one client, or of one session by the `sid` of their approvals, and says
   * how many there were. @throws {ConfigError}
   */
  revokeAll(subject: string, filter?: { readonly clientId?: string; readonly sid?: string }): Promise<number>
}

export function createUserGrants(services: {
  issuer: string
  store: TokenStore
  codec: GrantCodec
  findClient: FindClient
  lifetimes: Lifetimes
  now: () => number
  emit: OnEvent
}): UserGrants {
  const { issuer, store, codec, findClient, lifetimes, now, emit } = services

  return {
    async list(subject, page = {}) {
      checkPage(page)
      // What the query of a page brings may be anything.
      if (!['string', 'undefined'].includes(typeof page.after)) return { grants: [], next: undefined }
      const { grants, next } = await store.list(subjectKey(issuer, subject), page)
      const exchanged = grants.filter((stored) => stored.link > 0)
      const honoured = await areHonoured(exchanged)
      return { grants: exchanged.filter((_, i) => honoured[i]).flatMap(describe), next }
    },

    async revoke(subject, id) {
      // Asked by subject as well, so that a page cannot be made to end somebody else's grant.
      if (!isGrantKey(id)) return false
      const stored = await store.find(id)
      // The first attempt may have got 503, because a store that waits for its replicas waited in vain.
      if (!stored) return store.revoke(id)
      if (stored.subject !== subjectKey(issuer, subject)) return false
      const revoked = await store.revoke(id)
      if (revoked)
        emit({ type: 'grant.revoked', by: 'host', subject, clientId: stored.client, grant: id, count: 1 })
      return revoked
    },

    async revokeAll(subject, filter = {}) {
      // A misspelled filter, or one without a value, would end everything.
      refuseUnknownNames('grants.revokeAll.', filter, { clientId: true, sid: true })
      for (const [name, value] of Object.entries(filter)) text(`grants.revokeAll.${name}`, value)
      const { clientId, sid } = filter
      const owner = subjectKey(issuer, subject)
      const count =
        sid === undefined
          ? await store.revokeAll(owner, clientId === undefined ? {} : { client: clientId })
          : await revokeSession(owner, sid, clientId)
      if (count > 0) emit({ type: 'grant.revoked', by: 'host', subject, clientId, grant: undefined, count })
      return count
    },
  }

  /** The store knows no sessions. Codes that were not exchanged yet are among those that end. */
  async function revokeSession(owner: string, sid: string, clientId: string | undefined): Promise<number> {
    const found: StoredGrant[] = []
    let after: string | undefined
    do {
      const { grants, next } = await store.list(owner, after === undefined ? {} : { after })
      found.push(...grants.filter(({ client }) => clientId === undefined || client === clientId))
      after = next
    } while (after !== undefined)
    const keys = found.filter((stored) => decoded(stored)?.sid === sid).map(({ key }) => key)
    // The first attempt may have ended them and got 503, because a store that waits for its replicas waited in vain. To
    // end what never was waits for all that was written before.
    if (keys.length === 0) keys.push(grantKey(newGrantId(owner)))
    const revoked = await Promise.all(keys.map((key) => store.revoke(key)))
    return revoked.filter((one) => one).length
  }

  /** Grants of a client that is gone are listed: it may come back. Each client is looked for once. */
  async function areHonoured(grants: readonly StoredGrant[]): Promise<boolean[]> {
    const clients = new Map<string, ReturnType<FindClient>>()
    for (const { client } of grants) if (!clients.has(client)) clients.set(client, findClient(client))
    const found = await Promise.all(grants.map(({ client }) => clients.get(client)))
    return grants.map((stored, i) => !found[i] || isHonoured(stored, found[i], now()))
  }

  /** Nothing for a grant that has ended, nor for one that cannot be read, which is told by an event. */
  function describe(stored: StoredGrant): UserGrant[] {
    const grant = decoded(stored)
    if (!grant) return []
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

  function decoded(stored: StoredGrant): Grant | undefined {
    try {
      return codec.decode(stored)
    } catch {
      return undefined
    }
  }
}

/** @throws {ConfigError} */
function checkPage(page: Page): void {
  refuseUnknownNames('grants.list.', page, { limit: true, after: true })
  const { limit = 100 } = page
  if (Number.isInteger(limit) && limit >= 1 && limit <= 1000) return
  throw new ConfigError(
    'bad_number',
    'grants.list.limit',
    'is not a whole number from 1 to 1000.',
    'Give a small one, and `next` as `after` for the rest.',
  )
}
