// A store of anybody's, under a deadline: whatever it does, a request is answered, and trouble is told.
import { withDeadline } from '../deadline'
import { unavailable } from '../errors'
import type { OnEvent } from '../events'
import { type GrantKey, isGrantKey, type StoredGrant, type TokenStore } from './token-store'

/** Every method that a store has. The compiler keeps the list complete. */
const METHODS: Readonly<Record<keyof TokenStore, true>> = {
  insert: true,
  find: true,
  advance: true,
  revoke: true,
  list: true,
  revokeAll: true,
  put: true,
  get: true,
  take: true,
  close: true,
}
export const STORE_METHODS = Object.keys(METHODS) as (keyof TokenStore)[]

export interface GuardedStore extends TokenStore {
  /** The same for one request: all its calls together take no longer than two may. Who loses a race makes four. */
  forOneRequest(): TokenStore
}

/** The same store, but that a call which fails or lasts too long is a 503: an unknown outcome is never `invalid_grant`. */
export function guardStore(store: TokenStore, seconds: number, emit: OnEvent): GuardedStore {
  return {
    ...guarded(store, emit, () => seconds),
    forOneRequest() {
      let left = 2 * seconds
      return guarded(
        store,
        emit,
        () => Math.min(seconds, left),
        (used) => (left -= used),
      )
    },
  }
}

/** @param allowed The seconds that the next call may take. @param spend Told how many a call has taken. */
function guarded(
  store: TokenStore,
  emit: OnEvent,
  allowed: () => number,
  spend: (seconds: number) => void = () => {},
): TokenStore {
  async function call<T>(operation: keyof TokenStore, begin: () => Promise<T>): Promise<T> {
    const begun = performance.now()
    try {
      const seconds = Math.ceil(1000 * allowed()) / 1000
      if (seconds <= 0) throw new Error('The calls before it took all the time that a request has.')
      return await withDeadline(seconds, `store.${operation}`, begin())
    } catch (cause) {
      emit({ type: 'store.trouble', operation, cause })
      throw unavailable(`store_${operation}_failed`, cause)
    } finally {
      spend((performance.now() - begun) / 1000)
    }
  }
  /** One record that cannot be read must not hide the others of its user. */
  function sound(grant: StoredGrant): StoredGrant[] {
    try {
      return [checked(grant, grant.key)]
    } catch (cause) {
      emit({ type: 'store.trouble', operation: 'list', cause })
      return []
    }
  }

  return {
    insert: (grant) => call('insert', () => store.insert(grant)),
    find: (key) => call('find', async () => checked((await store.find(key)) ?? undefined, key)),
    advance: (key, from, move) => call('advance', async () => yesOrNo(await store.advance(key, from, move))),
    revoke: (key) => call('revoke', async () => yesOrNo(await store.revoke(key))),
    list: (subject, page) =>
      call('list', async () => {
        const { grants, next } = await store.list(subject, page)
        return { grants: grants.flatMap(sound), next: next ?? undefined }
      }),
    revokeAll: (subject, filter) =>
      call('revokeAll', async () => count(await store.revokeAll(subject, filter))),
    put: (key, value, ttl) => call('put', async () => yesOrNo(await store.put(key, value, ttl))),
    get: (key) => call('get', async () => string(await store.get(key))),
    take: (key) => call('take', async () => string(await store.take(key))),
    // Its own time: closing may have to wait for what is in flight.
    close: () => store.close(),
  }
}

/** The result of a driver is true whatever it says: `{ rowCount: 0 }` must not count as a won race. */
function yesOrNo(answer: boolean): boolean {
  if (answer === true || answer === false) return answer
  throw new TypeError('The store answered with something else than true or false.')
}

/** What was ended is told to a user: `'1' + '1'` is eleven. */
function count(answer: number): number {
  if (Number.isInteger(answer) && answer >= 0) return answer
  throw new TypeError('The store answered with something else than a number.')
}

/** Drivers may say null for what is not there. */
function string(answer: string | null | undefined): string | undefined {
  if (answer === undefined || answer === null) return undefined
  if (typeof answer === 'string') return answer
  throw new TypeError('The store answered with something else than a string.')
}

/** SQL drivers give large integers as strings, and `'10' + 1` is a link that was never issued. */
function checked<T extends StoredGrant | undefined>(stored: T, asked: GrantKey): T {
  if (stored === undefined) return stored
  const { key, subject, client, data, link, age, idle, superseded } = stored
  const texts = [subject, client, data].every((value) => typeof value === 'string')
  const numbers =
    Array.isArray(superseded) && [link, age, idle, ...superseded].every((value) => Number.isFinite(value))
  if (isGrantKey(key) && key === asked && texts && numbers && Number.isInteger(link)) return stored
  throw new TypeError('The store returned a grant with a member lost or of another type.')
}
