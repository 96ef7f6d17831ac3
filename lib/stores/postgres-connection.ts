// The way to PostgreSQL: the host's own pool, or one that the store opens. Either way a call is answered in time or not
// at all. What was given up is not done later, and holds no connection.
import { setTimeout as delay } from 'node:timers/promises'
import {
  Pool,
  type PoolClient,
  type PoolConfig,
  type QueryConfig,
  type QueryResult,
  type QueryResultRow,
} from 'pg'
import { withDeadline } from '../deadline'
import type { Statement } from './postgres-statements'

export interface PostgresConnectionOptions {
  readonly pool?: Pool | undefined
  readonly url?: string | undefined
  readonly options?: PoolConfig | undefined
  readonly timeoutSeconds?: number | undefined
  readonly prepare?: boolean | undefined
}

export interface PostgresConnection {
  run<Row extends QueryResultRow>(statement: Statement, values: readonly unknown[]): Promise<QueryResult<Row>>
  /** Any SQL, for as long as it takes. */
  execute(sql: string): Promise<void>
  close(): Promise<void>
}

/** So many calls that were given up may wait for a connection that does not come. Any more reject at once. */
const MAX_OVERDUE = 100

/** Milliseconds in which `close` hopes for a goodbye. */
const GOODBYE_WITHIN = 500

/** Nothing was done, and another try is in order: serialization_failure, deadlock_detected. */
const TRY_AGAIN = ['40001', '40P01']

/**
 * What is wrong with the connection and not with the call: connection_exception, a server that goes down,
 * read_only_sql_transaction (another connection may lead to the new primary), in_failed_sql_transaction, and
 * invalid_sql_statement_name (what was prepared on it is gone).
 */
const OF_NO_USE = /^(08|57P|25006|25P02|26000)/

export function connectPostgres({
  pool: given,
  url,
  options,
  timeoutSeconds = 0.6,
  prepare = true,
}: PostgresConnectionOptions): PostgresConnection {
  const pool = given ?? open(url, options, timeoutSeconds)
  let overdue = 0
  let closing: Promise<unknown> | undefined

  // An idle connection that breaks is replaced. Nobody hearing of it would end the process.
  if (!given) pool.on('error', ignore)

  /** A connection that comes too late goes back unused: there is no way to call off the wait for it. */
  async function checkOut(seconds: number): Promise<PoolClient> {
    if (overdue >= MAX_OVERDUE) throw new Error('PostgreSQL does not answer.')
    const asked = pool.connect()
    try {
      return await withDeadline(seconds, 'The pool of connections', asked)
    } catch (error) {
      overdue++
      asked.then((late) => late.release(), ignore).finally(() => overdue--)
      throw error
    }
  }

  return {
    async run<Row extends QueryResultRow>({ name, text }: Statement, values: readonly unknown[]) {
      if (closing) throw new Error('The connection to PostgreSQL is closed.')
      const until = performance.now() + timeoutSeconds * 1000
      const secondsLeft = () => Math.max(0, Math.round(until - performance.now()) / 1000)
      const query: QueryConfig = { text, values: [...values], ...(prepare && { name }) }

      const client = await checkOut(secondsLeft())
      client.on('error', ignore) // the query rejects as well
      let usable = true
      try {
        while (true) {
          try {
            const result = await withDeadline(secondsLeft(), 'PostgreSQL', client.query<Row>(query))
            refuseInTransaction(client)
            return result
          } catch (error) {
            if (!TRY_AGAIN.includes(sqlState(error)) || secondsLeft() === 0) throw error
          }
        }
      } catch (error) {
        // After most of what PostgreSQL says, the connection is in order. Else it may be busy or broken, and has to go.
        usable = sqlState(error) !== '' && !OF_NO_USE.test(sqlState(error))
        withoutValues(error)
        throw error
      } finally {
        client.off('error', ignore)
        client.release(!usable)
      }
    },

    async execute(sql) {
      await pool.query(sql)
    },

    async close() {
      closing ??= given
        ? Promise.resolve()
        : Promise.race([pool.end(), delay(GOODBYE_WITHIN, undefined, { ref: false })])
      await closing
    },
  }
}

function open(url: string | undefined, options: PoolConfig | undefined, timeoutSeconds: number): Pool {
  return new Pool({
    ...(url !== undefined && { connectionString: url }),
    application_name: 'express-token-endpoint',
    connectionTimeoutMillis: timeoutSeconds * 1000,
    // PostgreSQL gives up before we do, so that what waits for a lock does not pile up there.
    statement_timeout: Math.ceil(timeoutSeconds * 800),
    keepAlive: true,
    allowExitOnIdle: true,
    ...options,
  })
}

function ignore(): void {}

/**
 * Somebody else who uses the pool gave it back so. What was done there counts only if they commit it, and is undone when
 * the connection goes. Asked afterwards: their COMMIT may have been under way. Old versions of `pg` cannot tell.
 */
function refuseInTransaction(client: PoolClient): void {
  if (client.getTransactionStatus?.() !== 'T') return
  throw new Error('A connection was given back in the middle of a transaction.')
}

/** The code of an error that PostgreSQL told, which is the only kind that has a severity. */
function sqlState(error: unknown): string {
  const { code, severity } = error as { code?: string; severity?: string }
  return severity === undefined ? '' : (code ?? '')
}

/** These may quote what was written, which is not for logs. */
function withoutValues(error: unknown): void {
  for (const name of ['detail', 'where']) Reflect.deleteProperty(error as object, name)
}
