// A store of anybody's, under a deadline: whatever it does, a request is answered, and trouble is told.
import { withDeadline } from '../deadline'
import { unavailable } from '../errors'
import type { OnEvent } from '../events'
import {
  type GrantFilter,
  type GrantKey,
  type GrantMove,
  type GrantPage,
  type GrantRecord,
  isGrantKey,
  type Page,
  type StoredGrant,
  type TokenStore,
} from './token-store'

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

/**
 * The same store, but that a call which fails or lasts too long is a 503: an unknown outcome is never `invalid_grant`.
 * A class, because there is one for each request.
 */
export class GuardedStore implements TokenStore {
  /** @param left Seconds that all calls together may take. */
  constructor(
    private readonly store: TokenStore,
    private readonly seconds: number,
    private readonly emit: OnEvent,
    private left = Number.POSITIVE_INFINITY,
  ) {}

  /** The same for one request: all its calls together take no longer than two may. Who loses a race makes four. */
  forOneRequest(): GuardedStore {
    return new GuardedStore(this.store, this.seconds, this.emit, 2 * this.seconds)
  }

  insert(grant: GrantRecord): Promise<void> {
    return this.call('insert', () => this.store.insert(grant), nothing)
  }

  find(key: GrantKey): Promise<StoredGrant | undefined> {
    return this.call(
      'find',
      () => this.store.find(key),
      (found) => checked(found ?? undefined, key),
    )
  }

  advance(key: GrantKey, from: number, move: GrantMove): Promise<boolean> {
    return this.call('advance', () => this.store.advance(key, from, move), yesOrNo)
  }

  revoke(key: GrantKey): Promise<boolean> {
    return this.call('revoke', () => this.store.revoke(key), yesOrNo)
  }

  list(subject: string, page?: Page): Promise<GrantPage> {
    return this.call(
      'list',
      () => this.store.list(subject, page),
      ({ grants, next }) => ({
        grants: grants.filter((grant) => this.isSound(grant)),
        next: next ?? undefined,
      }),
    )
  }

  revokeAll(subject: string, filter?: GrantFilter): Promise<number> {
    return this.call('revokeAll', () => this.store.revokeAll(subject, filter), count)
  }

  put(key: string, value: string, ttl: number): Promise<boolean> {
    return this.call('put', () => this.store.put(key, value, ttl), yesOrNo)
  }

  get(key: string): Promise<string | undefined> {
    return this.call('get', () => this.store.get(key), string)
  }

  take(key: string): Promise<string | undefined> {
    return this.call('take', () => this.store.take(key), string)
  }

  /** In its own time: closing may have to wait for what is in flight. */
  close(): Promise<void> {
    return this.store.close()
  }

  private async call<A, T>(
    operation: keyof TokenStore,
    ask: () => Promise<A>,
    read: (answer: A) => T,
  ): Promise<T> {
    const begun = performance.now()
    try {
      const seconds = Math.ceil(1000 * Math.min(this.seconds, this.left)) / 1000
      if (seconds <= 0) throw new Error('The calls before it took all the time that a request has.')
      return read(await withDeadline(seconds, `store.${operation}`, Promise.resolve(ask())))
    } catch (cause) {
      this.emit({ type: 'store.trouble', operation, cause })
      throw unavailable(`store_${operation}_failed`, cause)
    } finally {
      this.left -= (performance.now() - begun) / 1000
    }
  }

  /** One record that cannot be read must not hide the others of its user. */
  private isSound(grant: StoredGrant): boolean {
    try {
      checked(grant, grant.key)
      return true
    } catch (cause) {
      this.emit({ type: 'store.trouble', operation: 'list', cause })
      return false
    }
  }
}

function nothing(): void {}

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
