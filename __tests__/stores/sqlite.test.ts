// The store on a real file: the contract, then what only a file can get wrong.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { DatabaseSync } from '@photostructure/sqlite'
import { sqliteStore } from '../../lib/stores/sqlite'
import type { GrantRecord, TokenStore } from '../../lib/stores/token-store'
import { storeContract } from '../../lib/testing'
import { expectUnavailable, fixture } from '../support/fixture'
import { aGrant, aMove, aSubject, randomId } from '../support/grants'
import { anOrdinaryGrant } from '../support/ordinary-grant'
import { startRacers } from './race'

const directory = mkdtempSync(join(tmpdir(), 'sqlite-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const opened: { close(): unknown }[] = []
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close()
})

const aFile = () => join(directory, `${randomId()}.db`)

function aStore(file = aFile()): TokenStore {
  const store = sqliteStore({ file })
  opened.push(store)
  return store
}

/** A connection past the store. */
function aConnection(file: string) {
  const database = new DatabaseSync(file)
  opened.push(database)
  return database
}

async function inserted(store: TokenStore, said: Partial<GrantRecord> = {}): Promise<GrantRecord> {
  const grant = aGrant(said)
  await store.insert(grant)
  return grant
}

describe('the contract', () => {
  const file = aFile()
  storeContract({ describe, test, createStore: () => sqliteStore({ file }) })
})

describe('the file', () => {
  test('survives reopening, with all that is in it', async () => {
    const file = aFile()
    const first = sqliteStore({ file })
    const grant = await inserted(first)
    const gone = await inserted(first)
    await first.advance(grant.key, 0, aMove(1))
    await first.revoke(gone.key)
    await first.put('key', 'value', 60)
    await first.close()
    // One file is all there is to copy.
    if (existsSync(`${file}-wal`)) expect(statSync(`${file}-wal`).size).toBe(0)

    const second = aStore(file)
    const { key, subject, client, data } = grant
    expect(await second.find(key)).toMatchObject({ key, subject, client, data, link: 1 })
    expect(await second.find(gone.key)).toBeUndefined()
    expect(await second.get('key')).toBe('value')
    expect(await second.advance(grant.key, 1, aMove(2))).toBe(true)
  })

  test('is for nobody else to read, nor are those beside it', async () => {
    const file = aFile()
    await inserted(aStore(file))
    for (const name of [file, `${file}-wal`, `${file}-shm`]) {
      expect((statSync(name).mode & 0o777).toString(8)).toBe('600')
    }
  })

  test('has what was answered, also after the process was killed', async () => {
    const file = aFile()
    const program = `
      const { sqliteStore } = require(${JSON.stringify(join(__dirname, '../../lib/stores/sqlite.ts'))})
      const { aGrant, aMove } = require(${JSON.stringify(join(__dirname, '../support/grants.ts'))})
      const store = sqliteStore({ file: ${JSON.stringify(file)} })
      for (let chain = 0; chain < 10; chain++) void (async () => {
        const grant = aGrant()
        await store.insert(grant)
        for (let link = 0; ; link++) {
          await store.advance(grant.key, link, aMove(link + 1))
          process.send([grant.key, link + 1])
        }
      })()`
    const child = spawn(process.execPath, ['--require', 'tsx/cjs', '--eval', program], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    const links = new Map<string, number>()
    child.on('message', ([key, link]: [string, number]) => links.set(key, link))
    while (links.size < 10 || Math.min(...links.values()) < 20) await delay(10)
    child.kill('SIGKILL')
    await once(child, 'close')

    const store = aStore(file)
    for (const [key, link] of links) {
      expect((await store.find(key))?.link).toBeGreaterThanOrEqual(link)
    }
  })

  test('of something else is left alone', async () => {
    const file = aFile()
    const database = aConnection(file)
    database.exec('CREATE TABLE users (id INTEGER PRIMARY KEY)')
    expect(() => sqliteStore({ file })).toThrow('is a database of something else')
    expect(database.prepare('SELECT name FROM sqlite_schema').all()).toHaveLength(1)
  })

  test('of a later version is left alone', async () => {
    const file = aFile()
    await sqliteStore({ file }).close()
    const database = aConnection(file)
    database.exec('PRAGMA user_version = 99')
    expect(() => sqliteStore({ file })).toThrow('is of format 99, later than this library knows')
  })

  test('that is none, or where none can be, is refused', () => {
    const file = aFile()
    writeFileSync(file, 'garbage '.repeat(1000))
    expect(() => sqliteStore({ file })).toThrow('file is not a database')
    expect(readFileSync(file, 'utf8')).toBe('garbage '.repeat(1000))
    expect(() => sqliteStore({ file: join(directory, 'none', 'oauth.db') })).toThrow('ENOENT')
  })

  test('that was damaged: calls reject, and nothing in it is taken for a grant', async () => {
    const file = aFile()
    const first = sqliteStore({ file })
    const grants = await Promise.all(Array.from({ length: 100 }, () => inserted(first)))
    await first.close()
    const content = readFileSync(file)
    writeFileSync(file, content.fill(0xa5, 4096)) // all but the first page, which says what else there is

    const store = aStore(file)
    const calls = (key: string, subject: string) => [
      store.find(key),
      store.advance(key, 0, aMove(1)),
      store.revoke(key),
      store.list(subject),
      store.revokeAll(subject),
      store.insert(aGrant()),
      store.put('key', 'value', 60),
    ]
    for (const { key, subject } of grants.slice(0, 3)) {
      for (const { status } of await Promise.allSettled(calls(key, subject))) expect(status).toBe('rejected')
    }
    expectUnavailable(await fixture({ store }).exchange(await fixture().code()))
  })
})

describe('several processes', () => {
  test('100 callers in four of them race for one code: one wins', async () => {
    // All four open the file before it has any tables.
    const file = aFile()
    const racers = await startRacers('sqlite', file)
    const store = aStore(file)
    for (let round = 0; round < 20; round++) {
      const { key } = await inserted(store)
      expect(await racers.race(key)).toEqual({ won: 1, lost: 99, failed: 0 })
      expect(await store.find(key)).toMatchObject({ link: 1 })
    }
    await racers.end()
  })

  test('one that keeps the file to itself: others read on, reject in time what they cannot write, and never do it', async () => {
    const file = aFile()
    const store = aStore(file)
    const { key } = await inserted(store)
    const other = aConnection(file)
    other.exec('BEGIN IMMEDIATE')

    const began = performance.now()
    let turns = 0
    const turning = setInterval(() => turns++, 5)
    const calls = Array.from({ length: 50 }, () => store.advance(key, 0, aMove(1)))
    expect(await store.find(key)).toMatchObject({ link: 0 })
    const outcomes = await Promise.allSettled(calls)
    clearInterval(turning)
    const lasted = performance.now() - began
    expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set(['rejected']))
    expect(lasted).toBeGreaterThan(500)
    expect(lasted).toBeLessThan(1000)
    expect(turns).toBeGreaterThan(5) // the event loop went on

    other.exec('COMMIT')
    await delay(50)
    expect(await store.find(key)).toMatchObject({ link: 0 })
    expect(await store.advance(key, 0, aMove(1))).toBe(true)
  })

  test('one that writes for a moment is waited for', async () => {
    const file = aFile()
    const store = aStore(file)
    const { key } = await inserted(store)
    const other = aConnection(file)
    other.exec('BEGIN IMMEDIATE')
    setTimeout(() => other.exec('COMMIT'), 200)
    expect(await store.advance(key, 0, aMove(1))).toBe(true)
  })
})

describe('writes that come together', () => {
  test('a wrong one fails alone', async () => {
    const store = aStore()
    const grants = Array.from({ length: 9 }, () => aGrant())
    const wrong = aGrant({ expiresIn: Number.NaN })
    const outcomes = await Promise.allSettled(
      [...grants.slice(0, 4), wrong, ...grants.slice(4)].map((grant) => store.insert(grant)),
    )
    expect(outcomes.map(({ status }) => status === 'fulfilled')).toEqual([
      ...Array(4).fill(true),
      false,
      ...Array(5).fill(true),
    ])
    for (const { key } of grants) expect(await store.find(key)).toMatchObject({ key, link: 0 })
    expect(await store.find(wrong.key)).toBeUndefined()
  })

  test('close() lets them be done first; after it every call rejects', async () => {
    const file = aFile()
    const store = sqliteStore({ file })
    const grants = Array.from({ length: 50 }, () => aGrant())
    const inserts = grants.map((grant) => store.insert(grant))
    await Promise.all([store.close(), store.close()])
    await Promise.all(inserts)
    await expect(store.find('none')).rejects.toThrow('closed')
    await expect(store.insert(aGrant())).rejects.toThrow('closed')
    const again = aStore(file)
    for (const { key } of grants) expect(await again.find(key)).toMatchObject({ key })
  })
})

test('a user who has 100 grants in use can begin one more: the oldest goes', async () => {
  const store = aStore()
  const subject = aSubject()
  const inUse = Array.from({ length: 100 }, () => aGrant({ subject }))
  for (const grant of inUse) await store.insert(grant)
  await Promise.all(inUse.map(({ key }) => store.advance(key, 0, aMove(1))))
  const { key } = await inserted(store, { subject })
  expect(await store.find(key)).toMatchObject({ link: 0 })
  expect(await store.find(String(inUse[0]?.key))).toBeUndefined()
  expect(await store.revokeAll(subject)).toBe(100)
})

test('what has expired is removed by inserts, a few rows by each', async () => {
  const file = aFile()
  const store = aStore(file)
  await Promise.all(Array.from({ length: 25 }, () => inserted(store)))
  await Promise.all(Array.from({ length: 25 }, () => store.put(randomId(), 'value', 60)))
  const database = aConnection(file)
  for (const table of ['grants', 'short_lived']) database.exec(`UPDATE ${table} SET expires_at = 0`)
  const count = (table: string) => database.prepare(`SELECT count(*) AS count FROM ${table}`).get()?.count
  for (const left of [16, 7, 3]) {
    await inserted(store)
    await store.put(randomId(), 'value', 60)
    expect({ grants: count('grants'), values: count('short_lived') }).toEqual({ grants: left, values: left })
  }
})

test('with 100,000 grants every statement goes by an index, and a grant takes less than 450 bytes', async () => {
  const GRANTS = 100_000
  const file = aFile()
  const store = sqliteStore({ file })
  const sample = await anOrdinaryGrant()
  for (let i = 0; i < GRANTS; i += 1000) {
    const some = Array.from({ length: 1000 }, () => {
      const subject = aSubject()
      return { ...sample, subject, key: `${subject.slice(0, 4)}.${randomId()}` }
    })
    await Promise.all(some.map((grant) => store.insert(grant)))
  }
  await store.close()
  const bytes = statSync(file).size / GRANTS
  process.stdout.write(
    `SQLite: ${Math.round(bytes)} bytes for a grant whose data has ${sample.data.length}\n`,
  )
  expect(bytes).toBeLessThan(450)

  // What the store prepares, as it does so.
  const statements: string[] = []
  class Watched {
    readonly #database: InstanceType<typeof DatabaseSync>
    constructor(name: string) {
      this.#database = new DatabaseSync(name)
    }
    exec(sql: string) {
      this.#database.exec(sql)
    }
    prepare(sql: string) {
      statements.push(sql)
      return this.#database.prepare(sql)
    }
    close() {
      this.#database.close()
    }
  }
  jest.isolateModules(() => {
    jest.doMock('@photostructure/sqlite', () => ({ DatabaseSync: Watched }))
    const { sqliteStore: watched } =
      require('../../lib/stores/sqlite') as typeof import('../../lib/stores/sqlite')
    opened.push(watched({ file }))
    jest.dontMock('@photostructure/sqlite')
  })
  const queries = statements.filter((sql) => / (grants|short_lived) /.test(sql))
  expect(queries.length).toBeGreaterThan(10)
  const database = aConnection(file)
  for (const sql of queries) {
    const plan = database
      .prepare(`EXPLAIN QUERY PLAN ${sql}`)
      .all(...Array(sql.split('?').length - 1).fill(1))
    expect({ sql, scans: plan.filter(({ detail }) => /SCAN/.test(String(detail))) }).toEqual({
      sql,
      scans: [],
    })
  }
}, 60_000)

describe('SQLite', () => {
  test('is what Node.js itself brings, where the package is not installed', async () => {
    await jest.isolateModulesAsync(async () => {
      jest.doMock('@photostructure/sqlite', () => {
        throw Object.assign(new Error('not installed'), { code: 'MODULE_NOT_FOUND' })
      })
      const { sqliteStore: bare } =
        require('../../lib/stores/sqlite') as typeof import('../../lib/stores/sqlite')
      const [major, minor] = process.versions.node.split('.').map(Number) as [number, number]
      if (major > 22 || (major === 22 && minor >= 13)) {
        const store = bare({ file: aFile() })
        opened.push(store)
        const { key } = await inserted(store, { data: 'NUL\0inside' })
        expect(await store.advance(key, 0, aMove(1))).toBe(true)
        expect(await store.find(key)).toMatchObject({ link: 1, data: 'NUL\0inside' })
      } else {
        expect(() => bare({ file: aFile() })).toThrow('npm install @photostructure/sqlite@1')
      }
      jest.dontMock('@photostructure/sqlite')
    })
  })
})
