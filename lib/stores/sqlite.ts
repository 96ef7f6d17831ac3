// Grants in a file of SQLite, for one machine: they survive a restart, and no server has to run.
import { hash } from 'node:crypto'
import { openSqliteFile } from './sqlite-file'
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

export interface SqliteStoreOptions {
  /** Where the grants are kept: a file of the store's own, on a local disk. It is created where it is missing. */
  readonly file: string
}

/** A grant as it is kept. Times are milliseconds by the clock of the machine. */
interface Row {
  readonly serial: number
  readonly key: GrantKey
  readonly subject: string
  readonly client: Uint8Array
  readonly data: Uint8Array
  readonly link: number
  readonly op: string | null
  readonly inserted_at: number
  readonly moved_at: number
  /** JSON: when each of the last four links was superseded, newest first. */
  readonly superseded_at: string
  readonly expires_at: number
  readonly ends_at: number
}

/**
 * `client`, `data` and `value` are bytes because bindings cut text at a NUL. `serial` is the order of inserts, and the
 * last column of each index. A move rarely changes what an index holds, so that a rotation writes one page.
 */
const MIGRATIONS = [
  `
  CREATE TABLE grants (
    serial INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    subject TEXT NOT NULL,
    client BLOB NOT NULL,
    data BLOB NOT NULL,
    link INTEGER NOT NULL,
    op TEXT,
    inserted_at INTEGER NOT NULL,
    moved_at INTEGER NOT NULL,
    superseded_at TEXT NOT NULL DEFAULT '[]',
    expires_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX grants_by_subject ON grants (subject);
  CREATE INDEX grants_by_expiry ON grants (expires_at);

  CREATE TABLE short_lived (
    key BLOB PRIMARY KEY,
    value BLOB NOT NULL,
    expires_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX short_lived_by_expiry ON short_lived (expires_at);
  `,
]

/** With each row that comes, at most so many leave that have expired: more than come, so that none pile up. */
const SWEPT_AT_ONCE = 10

/**
 * Keeps grants in a file of SQLite, by what Node.js 22.13 and later bring, or by the package `@photostructure/sqlite`.
 * Several processes of one machine may share it.
 *
 * @throws When the file cannot be opened, or is not one of this store.
 * @example
 * const oauth = createTokenRouter({ store: sqliteStore({ file: 'data/oauth.db' }), ... })
 */
export function sqliteStore({ file }: SqliteStoreOptions): TokenStore {
  const sqlite = openSqliteFile(file, MIGRATIONS)
  const prepare = (sql: string) => sqlite.database.prepare(sql)

  // SQLite reads the clock of the machine, which all processes that share the file have in common.
  const readClock = prepare(`SELECT unixepoch('subsec') * 1000 AS now`)
  const now = () => Math.round(Number(readClock.get()?.now))

  const grantByKey = prepare('SELECT * FROM grants WHERE key = ? AND expires_at > ?')
  const grantsOfSubject = prepare(
    'SELECT * FROM grants WHERE subject = ? AND serial > ? AND expires_at > ? ORDER BY serial LIMIT ?',
  )
  const insertGrant = prepare(`
    INSERT INTO grants (key, subject, client, data, link, inserted_at, moved_at, expires_at, ends_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING`)
  const makeRoom = prepare(`
    DELETE FROM grants WHERE serial IN (
      SELECT serial FROM grants WHERE subject = ? AND client = ? AND expires_at > ? AND key <> ?
      ORDER BY link > 0 DESC, serial DESC LIMIT -1 OFFSET ${MAX_GRANTS_PER_CLIENT - 1}
    )`)
  const sweepGrants = prepare(`
    DELETE FROM grants WHERE serial IN (
      SELECT serial FROM grants WHERE expires_at <= ? ORDER BY expires_at LIMIT ${SWEPT_AT_ONCE}
    )`)
  const moveGrant = prepare(`
    UPDATE grants SET link = ?, op = ?, moved_at = ?, superseded_at = ?, expires_at = ? WHERE serial = ?`)
  const deleteGrant = prepare('DELETE FROM grants WHERE key = ? AND expires_at > ?')
  const deleteGrants = prepare('DELETE FROM grants WHERE subject = ? AND expires_at > ?')
  const deleteGrantsFor = prepare('DELETE FROM grants WHERE subject = ? AND expires_at > ? AND client = ?')

  const valueByKey = prepare('SELECT value FROM short_lived WHERE key = ? AND expires_at > ?')
  const putValue = prepare('REPLACE INTO short_lived (key, value, expires_at) VALUES (?, ?, ?)')
  const deleteValue = prepare('DELETE FROM short_lived WHERE key = ?')
  const sweepValues = prepare(`
    DELETE FROM short_lived WHERE key IN (
      SELECT key FROM short_lived WHERE expires_at <= ? ORDER BY expires_at LIMIT ${SWEPT_AT_ONCE}
    )`)

  function liveValue(key: string): string | undefined {
    const row = valueByKey.get(digestOf(key), now()) as { value: Uint8Array } | undefined
    return row && text(row.value)
  }

  return {
    insert: ({ key, subject, client, data, link, expiresIn, endsIn }: GrantRecord) =>
      sqlite.write(() => {
        const inserted = now()
        const ends = inserted + milliseconds(endsIn)
        const expires = Math.min(ends, inserted + milliseconds(expiresIn))
        const row = [key, subject, bytes(client), bytes(data), link, inserted, inserted, expires, ends]
        if (Number(insertGrant.run(...row).changes) === 0) return
        makeRoom.run(subject, bytes(client), inserted, key)
        sweepGrants.run(inserted)
      }),

    find: (key: GrantKey) =>
      sqlite.read(() => {
        const asked = now()
        const row = grantByKey.get(key, asked) as Row | undefined
        return row && stateOf(row, asked)
      }),

    advance: (key: GrantKey, from: number, move: GrantMove) =>
      sqlite.write(() => {
        const asked = now()
        const row = grantByKey.get(key, asked) as Row | undefined
        if (!row) return false
        if (row.op === move.op) return true
        if (row.link !== from || move.to < from) return false
        // The clock of a machine may be set back.
        const moved = Math.max(asked, row.moved_at)
        const passed: number[] = Array(Math.min(4, move.to - from)).fill(moved)
        const superseded = [...passed, ...JSON.parse(row.superseded_at)].slice(0, 4)
        moveGrant.run(
          move.to,
          move.op,
          moved,
          JSON.stringify(superseded),
          expiryAfter(row, moved, move),
          row.serial,
        )
        return true
      }),

    revoke: (key: GrantKey) => sqlite.write(() => Number(deleteGrant.run(key, now()).changes) === 1),

    list: (subject: string, { limit = 100, after = '0' }: Page = {}) =>
      sqlite.read((): GrantPage => {
        const asked = now()
        const begin = serialOf(after)
        if (begin === undefined) return { grants: [], next: undefined }
        const rows = grantsOfSubject.all(subject, begin, asked, limit + 1) as unknown as Row[]
        const page = rows.slice(0, limit)
        return {
          grants: Array.from(page, (row) => stateOf(row, asked)),
          next: rows.length > limit ? String(page.at(-1)?.serial) : undefined,
        }
      }),

    revokeAll: (subject: string, { client }: GrantFilter = {}) =>
      sqlite.write(() => {
        const { changes } =
          client === undefined
            ? deleteGrants.run(subject, now())
            : deleteGrantsFor.run(subject, now(), bytes(client))
        return Number(changes)
      }),

    put: (key: string, value: string, ttl: number) =>
      sqlite.write(() => {
        const kept = liveValue(key)
        if (kept !== undefined) return kept === value
        const put = now()
        putValue.run(digestOf(key), bytes(value), put + milliseconds(ttl))
        sweepValues.run(put)
        return true
      }),

    get: (key: string) => sqlite.read(() => liveValue(key)),

    take: (key: string) =>
      sqlite.write(() => {
        const value = liveValue(key)
        deleteValue.run(digestOf(key))
        return value
      }),

    close: () => sqlite.close(),
  }
}

/** An expiry that has to grow grows by a tenth more than asked for, so that its index changes rarely. */
function expiryAfter({ expires_at, ends_at }: Row, moved: number, { expiresIn }: GrantMove): number {
  if (expires_at >= moved + milliseconds(expiresIn)) return expires_at
  return Math.min(ends_at, moved + milliseconds(1.1 * expiresIn))
}

function stateOf(row: Row, asked: number): StoredGrant {
  const age = (time: number) => Math.max(0, asked - time) / 1000
  return {
    key: row.key,
    subject: row.subject,
    client: text(row.client),
    data: text(row.data),
    link: row.link,
    age: age(row.inserted_at),
    idle: age(row.moved_at),
    superseded: (JSON.parse(row.superseded_at) as number[]).map(age),
  }
}

/** Of any length, and it is kept twice. */
function digestOf(key: string): Uint8Array {
  return hash('sha256', key, 'buffer')
}

function bytes(text: string): Uint8Array {
  return Buffer.from(text, 'utf8')
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8')
}

function milliseconds(seconds: number): number {
  return Math.round(seconds * 1000)
}
