// A store of anybody's, under a deadline: whatever it does, a request is answered, and trouble is told.
import { withDeadline } from '../deadline'
import { unavailable } from '../errors'
import type { OnEvent } from '../events'
import type { TokenStore } from './token-store'

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

/** The same store, but that a call which fails or lasts too long is a 503: an unknown outcome is never `invalid_grant`. */
export function guardStore(store: TokenStore, seconds: number, emit: OnEvent): TokenStore {
  async function call<T>(operation: keyof TokenStore, begin: () => Promise<T>): Promise<T> {
    try {
      return await withDeadline(seconds, `store.${operation}`, begin())
    } catch (cause) {
      emit({ type: 'store.trouble', operation, cause })
      throw unavailable(`store_${operation}_failed`, cause)
    }
  }
  return {
    insert: (grant) => call('insert', () => store.insert(grant)),
    find: (key) => call('find', () => store.find(key)),
    advance: (key, from, move) => call('advance', () => store.advance(key, from, move)),
    revoke: (key) => call('revoke', () => store.revoke(key)),
    list: (subject, page) => call('list', () => store.list(subject, page)),
    revokeAll: (subject, filter) => call('revokeAll', () => store.revokeAll(subject, filter)),
    put: (key, value, ttl) => call('put', () => store.put(key, value, ttl)),
    get: (key) => call('get', () => store.get(key)),
    take: (key) => call('take', () => store.take(key)),
    // Its own time: closing may have to wait for what is in flight.
    close: () => store.close(),
  }
}
