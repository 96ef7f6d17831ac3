// A store in the memory of one process: for a first run, for tests, for a single server that may forget everybody
// when it restarts.
import {
  type GrantFilter,
  type GrantKey,
  type GrantMove,
  type GrantPage,
  type GrantRecord,
  MAX_GRANTS_PER_CLIENT,
  type Page,
  type StoredGrant,
  serialOf,
  type TokenStore,
} from './token-store'

/** For tests. */
export interface MemoryStoreOptions {
  /** Milliseconds on a clock of any origin. Default: a monotonic one, so that setting the time expires nothing. */
  readonly now?: (() => number) | undefined
}

/** A grant and its state. Times are readings of the store's clock. */
interface Entry {
  readonly record: GrantRecord
  /** Counts the inserts: the order of a subject's grants, oldest first, and the place where a page begins. */
  readonly serial: number
  readonly inserted: number
  readonly ends: number
  expires: number
  moved: number
  link: number
  op: string | undefined
  superseded: readonly number[]
}

/** Below this many records, clearing away what has expired isn't worth the walk. */
const SWEEP_FROM = 1000

/**
 * Keeps grants in memory.
 *
 * @example
 * const oauth = createTokenRouter({ store: memoryStore(), ... })
 */
export function memoryStore({ now = () => performance.now() }: MemoryStoreOptions = {}): TokenStore {
  const grants = new Map<GrantKey, Entry>()
  const subjects = new Map<string, Set<Entry>>()
  const values = new Map<string, { value: string; expires: number }>()
  let serial = 0
  let sweepAt = SWEEP_FROM

  function live(key: GrantKey): Entry | undefined {
    const entry = grants.get(key)
    return entry && entry.expires > now() ? entry : undefined
  }

  function liveOf(subject: string): Entry[] {
    return [...(subjects.get(subject) ?? [])].filter((entry) => entry.expires > now())
  }

  function liveValue(key: string): string | undefined {
    const kept = values.get(key)
    return kept && kept.expires > now() ? kept.value : undefined
  }

  function remove(entry: Entry): void {
    const { key, subject } = entry.record
    grants.delete(key)
    const siblings = subjects.get(subject)
    siblings?.delete(entry)
    if (siblings?.size === 0) subjects.delete(subject)
  }

  /** Whenever the maps have doubled: a constant cost for each insert, and never more than twice what is live. */
  function sweep(): void {
    if (grants.size + values.size < sweepAt) return
    for (const entry of grants.values()) if (entry.expires <= now()) remove(entry)
    for (const [key, { expires }] of values) if (expires <= now()) values.delete(key)
    sweepAt = Math.max(SWEEP_FROM, 2 * (grants.size + values.size))
  }

  function state({ record, inserted, moved, link, superseded }: Entry): StoredGrant {
    const { key, subject, client, data } = record
    const asked = now()
    const age = (time: number) => Math.max(0, asked - time) / 1000
    return {
      key,
      subject,
      client,
      data,
      link,
      age: age(inserted),
      idle: age(moved),
      superseded: superseded.map(age),
    }
  }

  // No method awaits anything, so each is atomic.
  return {
    async insert(record: GrantRecord): Promise<void> {
      if (live(record.key)) return
      sweep()
      const inserted = now()
      const ends = inserted + record.endsIn * 1000
      const expires = Math.min(ends, inserted + record.expiresIn * 1000)
      const { subject, client, link } = record
      const entry: Entry = {
        record,
        serial: ++serial,
        inserted,
        ends,
        expires,
        moved: inserted,
        link,
        op: undefined,
        superseded: [],
      }
      const expired = grants.get(record.key)
      if (expired) remove(expired)
      grants.set(record.key, entry)
      const siblings = subjects.get(subject) ?? new Set()
      subjects.set(subject, siblings.add(entry))

      if (siblings.size <= MAX_GRANTS_PER_CLIENT) return
      const others = liveOf(subject).filter((other) => other !== entry && other.record.client === client)
      const inOrder = [...others.filter(({ link }) => link === 0), ...others.filter(({ link }) => link > 0)]
      for (const one of inOrder.slice(0, Math.max(0, others.length + 1 - MAX_GRANTS_PER_CLIENT))) remove(one)
    },

    async find(key: GrantKey): Promise<StoredGrant | undefined> {
      const entry = live(key)
      return entry && state(entry)
    },

    async advance(key: GrantKey, from: number, move: GrantMove): Promise<boolean> {
      const entry = live(key)
      if (!entry) return false
      if (entry.op === move.op) return true
      if (entry.link !== from || move.to < from) return false
      const moved = now()
      const passed: number[] = Array(Math.min(4, move.to - from)).fill(moved)
      entry.superseded = [...passed, ...entry.superseded].slice(0, 4)
      entry.link = move.to
      entry.op = move.op
      entry.moved = moved
      entry.expires = Math.min(entry.ends, Math.max(entry.expires, moved + move.expiresIn * 1000))
      return true
    },

    async revoke(key: GrantKey): Promise<boolean> {
      const entry = live(key)
      if (!entry) return false
      remove(entry)
      return true
    },

    async list(subject: string, { limit = 100, after = '0' }: Page = {}): Promise<GrantPage> {
      const begin = serialOf(after) ?? Number.POSITIVE_INFINITY
      const rest = liveOf(subject).filter((entry) => entry.serial > begin)
      const page = rest.slice(0, limit)
      return { grants: page.map(state), next: rest.length > limit ? String(page.at(-1)?.serial) : undefined }
    },

    async revokeAll(subject: string, { client }: GrantFilter = {}): Promise<number> {
      const revoked = liveOf(subject).filter(({ record }) => client === undefined || record.client === client)
      for (const entry of revoked) remove(entry)
      return revoked.length
    },

    async put(key: string, value: string, ttl: number): Promise<boolean> {
      const kept = liveValue(key)
      if (kept !== undefined) return kept === value
      sweep()
      values.set(key, { value, expires: now() + ttl * 1000 })
      return true
    },

    async get(key: string): Promise<string | undefined> {
      return liveValue(key)
    },

    async take(key: string): Promise<string | undefined> {
      const value = liveValue(key)
      values.delete(key)
      return value
    },

    async close(): Promise<void> {},
  }
}
