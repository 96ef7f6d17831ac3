// Grants in PostgreSQL: one row for each grant, found by key, by subject and by expiry; what is done to them is in
// postgres-statements.ts.
import { hash } from 'node:crypto'
import { connectPostgres, type PostgresConnectionOptions } from './postgres-connection'
import { createTables, type PostgresTables, postgresTables, statementsFor } from './postgres-statements'
import {
  type GrantFilter,
  type GrantKey,
  type GrantMove,
  type GrantPage,
  type GrantRecord,
  type Page,
  type StoredGrant,
  serialOf,
  type TokenStore,
} from './token-store'

export { type PostgresTables, postgresTables }

export interface PostgresStoreOptions extends PostgresTables {
  /** Your own pool, of `pg`. It is never closed here, and keeps its settings: give it a `statement_timeout`. */
  readonly pool?: PostgresConnectionOptions['pool']
  /** Instead of `pool`, such as `postgres://user:password@db.example.com/app`. Without both, what `PGHOST` etc. say. */
  readonly url?: PostgresConnectionOptions['url']
  /** Options of `pg` for the pool that is opened here. */
  readonly options?: PostgresConnectionOptions['options']
  /** Seconds after which a call rejects, and its connection is given up. Default: 0.6. */
  readonly timeoutSeconds?: PostgresConnectionOptions['timeoutSeconds']
  /** Whether statements are prepared once for each connection. Default: true. Some connection poolers forbid it. */
  readonly prepare?: PostgresConnectionOptions['prepare']
}

export interface PostgresStore extends TokenStore {
  /** Creates the tables where they are missing. Or put {@link postgresTables} in a migration. */
  createTables(): Promise<void>
}

interface GrantRow {
  readonly key: GrantKey
  readonly serial: string
  readonly subject: string
  readonly client: Buffer
  readonly data: Buffer
  readonly link: number
  readonly age: number
  readonly idle: number
  readonly superseded: number[]
}

/**
 * Keeps grants in PostgreSQL 13 or later.
 *
 * @example
 * const store = postgresStore({ pool })
 * await store.createTables()
 * const oauth = createTokenRouter({ store, ... })
 */
export function postgresStore({ schema, prefix, ...connection }: PostgresStoreOptions = {}): PostgresStore {
  const statements = statementsFor({ schema, prefix })
  const postgres = connectPostgres(connection)

  return {
    async createTables(): Promise<void> {
      await postgres.execute(createTables({ schema, prefix }))
    },

    async insert({ key, subject, client, data, link, expiresIn, endsIn }: GrantRecord): Promise<void> {
      await postgres.run(statements.insert, [
        key,
        subject,
        bytes(client),
        bytes(data),
        link,
        expiresIn,
        endsIn,
      ])
    },

    async find(key: GrantKey): Promise<StoredGrant | undefined> {
      const { rows } = await postgres.run<GrantRow>(statements.find, [key])
      return rows.map(grantOf)[0]
    },

    async advance(key: GrantKey, from: number, { op, to, expiresIn }: GrantMove): Promise<boolean> {
      const { rowCount } = await postgres.run(statements.advance, [key, from, to, op, expiresIn])
      return rowCount === 1
    },

    async revoke(key: GrantKey): Promise<boolean> {
      const { rows } = await postgres.run<{ live: boolean }>(statements.revoke, [key])
      return rows.some(({ live }) => live)
    },

    async list(subject: string, { limit = 100, after = '0' }: Page = {}): Promise<GrantPage> {
      if (serialOf(after) === undefined) return { grants: [], next: undefined }
      const { rows } = await postgres.run<GrantRow>(statements.list, [subject, after, limit + 1])
      const page = rows.slice(0, limit)
      return {
        grants: page.map(grantOf),
        next: rows.length > limit ? String(page.at(-1)?.serial) : undefined,
      }
    },

    async revokeAll(subject: string, { client }: GrantFilter = {}): Promise<number> {
      const filter = client === undefined ? null : bytes(client)
      const { rows } = await postgres.run<{ live: boolean }>(statements.revokeAll, [subject, filter])
      return rows.filter(({ live }) => live).length
    },

    async put(key: string, value: string, ttl: number): Promise<boolean> {
      const { rowCount } = await postgres.run(statements.put, [digestOf(key), bytes(value), ttl])
      return rowCount === 1
    },

    async get(key: string): Promise<string | undefined> {
      const { rows } = await postgres.run<{ value: Buffer }>(statements.get, [digestOf(key)])
      return rows[0]?.value.toString()
    },

    async take(key: string): Promise<string | undefined> {
      const { rows } = await postgres.run<{ value: Buffer; live: boolean }>(statements.take, [digestOf(key)])
      return rows[0]?.live ? rows[0].value.toString() : undefined
    },

    close: () => postgres.close(),
  }
}

/** Of any length, and what is indexed must be short. */
function digestOf(key: string): Buffer {
  return hash('sha256', key, 'buffer')
}

function bytes(text: string): Buffer {
  return Buffer.from(text, 'utf8')
}

function grantOf({ key, subject, client, data, link, age, idle, superseded }: GrantRow): StoredGrant {
  return { key, subject, client: client.toString(), data: data.toString(), link, age, idle, superseded }
}
