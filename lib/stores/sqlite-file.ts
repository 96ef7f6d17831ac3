// One SQLite file and one connection to it. Reads are made at once. Writes that come together share a transaction: what
// a write costs is the wait for the disk.
import { closeSync, openSync } from 'node:fs'
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'
import type { DatabaseSyncInstance as Database } from '@photostructure/sqlite'
import { ConfigError } from '../errors'

export interface SqliteFile {
  readonly database: Database
  read<T>(work: () => T): Promise<T>
  /** Resolves when it is on the disk. `work` may run again after it was undone. */
  write<T>(work: () => T): Promise<T>
  /** Lets what was asked for until now be done first. */
  close(): Promise<void>
}

interface Write {
  readonly work: () => unknown
  readonly resolve: (result: unknown) => void
  readonly reject: (error: unknown) => void
  readonly until: number
}

/** Milliseconds that a call waits while another process writes. What was given up is not done later. */
const BUSY_WITHIN = 600

/** The same while the file is opened. */
const OPEN_WITHIN = 5000

/** By this number a SQLite file says what it is. */
const APPLICATION_ID = 0x6f617468

/** @param migrations Each makes the next version of the tables; the first begins with an empty file. */
export function openSqliteFile(file: string, migrations: readonly string[]): SqliteFile {
  const database = open(file, migrations)
  const queue: Write[] = []
  let draining = false
  let closing: Promise<void> | undefined

  async function drain(): Promise<void> {
    draining = true
    await nextTurn() // what else comes until then is in the same transaction
    while (queue.length > 0) {
      const batch = queue.splice(0)
      try {
        commit(batch)
      } catch (error) {
        if (isBusy(error)) {
          await aMoment()
          for (const late of batch.filter(isOverdue)) late.reject(error)
          queue.unshift(...batch.filter((write) => !isOverdue(write)))
        } else {
          for (const write of batch) commitAlone(write)
        }
      }
    }
    draining = false
  }

  function commit(batch: readonly Write[]): void {
    const results = inTransaction(database, () => batch.map(({ work }) => work()))
    for (const [i, { resolve }] of batch.entries()) resolve(results[i])
  }

  /** When one of a batch fails, the others need not. */
  function commitAlone(write: Write): void {
    try {
      commit([write])
    } catch (error) {
      write.reject(error)
    }
  }

  return {
    database,

    async read(work) {
      for (const until = performance.now() + BUSY_WITHIN; ; await aMoment()) {
        if (closing) throw closed()
        try {
          return work()
        } catch (error) {
          if (!isBusy(error) || performance.now() > until) throw error
        }
      }
    },

    write<T>(work: () => T): Promise<T> {
      return new Promise<T>((resolve, reject) => {
        if (closing) return reject(closed())
        const until = performance.now() + BUSY_WITHIN
        queue.push({ work, resolve: resolve as (result: unknown) => void, reject, until })
        if (!draining) void drain()
      })
    },

    close() {
      closing ??= (async () => {
        while (draining) await aMoment()
        moveLogIntoFile(database)
        database.close()
      })()
      return closing
    },
  }
}

function isOverdue({ until }: Write): boolean {
  return performance.now() > until
}

function open(file: string, migrations: readonly string[]): Database {
  const { DatabaseSync } = loadSqlite()
  makePrivate(file)
  const database = new DatabaseSync(file)
  try {
    database.exec(`PRAGMA busy_timeout = ${OPEN_WITHIN}`)
    migrate(database, file, migrations)
    if (pragma(database, 'journal_mode = WAL') !== 'wal') {
      throw badFile(`${file} is where SQLite can keep no write-ahead log.`, 'Use a local disk.')
    }
    // Each commit reaches the disk: a rotation or a revocation that was answered outlives a power cut.
    database.exec('PRAGMA synchronous = FULL')
    // From now on another process is waited for in `drain`: SQLite's own waiting would hold up this process.
    database.exec('PRAGMA busy_timeout = 0')
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

/** What Node itself brings and the package have the same interface. The one that was installed on purpose comes first. */
function loadSqlite(): typeof import('@photostructure/sqlite') {
  for (const name of ['@photostructure/sqlite', 'node:sqlite']) {
    try {
      return require(name)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'MODULE_NOT_FOUND' && code !== 'ERR_UNKNOWN_BUILTIN_MODULE') throw error
    }
  }
  throw new ConfigError(
    'missing_sqlite',
    'store',
    'needs SQLite, which this version of Node.js does not bring.',
    'npm install @photostructure/sqlite@1, or use Node.js 22.13 or later.',
  )
}

/** A new file is for nobody else to read. SQLite gives the files beside it the same mode. */
function makePrivate(file: string): void {
  try {
    closeSync(openSync(file, 'wx', 0o600))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

/** SQLite does it when the last connection is closed, but a binding may keep one open until its statements are collected. */
function moveLogIntoFile(database: Database): void {
  try {
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  } catch {
    // Whoever opens the file next does it.
  }
}

function migrate(database: Database, file: string, migrations: readonly string[]): void {
  inTransaction(database, () => {
    const version = Number(pragma(database, 'user_version'))
    const isEmpty = database.prepare('SELECT 1 FROM sqlite_schema').get() === undefined
    if (!isEmpty && pragma(database, 'application_id') !== APPLICATION_ID) {
      throw badFile(`${file} is a database of something else.`, 'Give the store a file of its own.')
    }
    if (version > migrations.length) {
      throw badFile(
        `${file} is of format ${version}, later than this library knows.`,
        'Update the library again.',
      )
    }
    for (const migration of migrations.slice(version)) database.exec(migration)
    database.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${migrations.length}`)
  })
}

function badFile(what: string, remedy: string): ConfigError {
  return new ConfigError('bad_store_file', 'file', what, remedy)
}

function pragma(database: Database, name: string): unknown {
  return Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0]
}

/** What throws was undone. From its beginning the transaction is the only one that writes, in any process. */
function inTransaction<T>(database: Database, work: () => T): T {
  database.exec('BEGIN IMMEDIATE')
  try {
    const result = work()
    database.exec('COMMIT')
    return result
  } catch (error) {
    try {
      database.exec('ROLLBACK')
    } catch {
      // After some errors, such as a full disk, SQLite has done it already.
    }
    throw error
  }
}

/** SQLITE_BUSY, whatever the reason: another connection holds a lock. */
function isBusy(error: unknown): boolean {
  const { errcode } = error as { errcode?: number }
  return errcode !== undefined && (errcode & 0xff) === 5
}

/** Not the same for all who wait. */
function aMoment(): Promise<void> {
  return delay(1 + 9 * Math.random())
}

function closed(): Error {
  return new Error('The SQLite file is closed.')
}
