// The store against a real PostgreSQL: the contract, then what only PostgreSQL can get wrong.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { inspect } from 'node:util'
import { Client, Pool } from 'pg'
import { type PostgresStoreOptions, postgresStore, postgresTables } from '../../lib/stores/postgres'
import { statementsFor } from '../../lib/stores/postgres-statements'
import type { GrantRecord, TokenStore } from '../../lib/stores/token-store'
import { storeContract } from '../../lib/testing'
import { expectUnavailable, fixture } from '../support/fixture'
import { aGrant, aMove, aSubject, randomId } from '../support/grants'
import { anOrdinaryGrant } from '../support/ordinary-grant'
import { type PostgresServer, startPostgres } from '../support/postgres-server'
import { startRacers } from './race'

let server: PostgresServer
let pool: Pool
beforeAll(async () => {
  server = await startPostgres()
  pool = new Pool({ connectionString: server.url })
  await postgresStore({ pool }).createTables()
})
afterAll(async () => {
  await pool.end()
  await server.stop()
})

const opened: TokenStore[] = []
afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.close()))
})

function aStore(options: PostgresStoreOptions = { pool }) {
  const store = postgresStore(options)
  opened.push(store)
  return store
}

async function inserted(store: TokenStore, said: Partial<GrantRecord> = {}): Promise<GrantRecord> {
  const grant = aGrant(said)
  await store.insert(grant)
  return grant
}

async function eventually<T>(check: () => T | Promise<T>): Promise<T> {
  for (const until = performance.now() + 5000; ; await delay(20)) {
    try {
      return await check()
    } catch (error) {
      if (performance.now() > until) throw error
    }
  }
}

async function count(sql: string, values: unknown[] = []): Promise<number> {
  return Number((await pool.query(`SELECT count(*) FROM ${sql}`, values)).rows[0].count)
}

describe('the contract, on a pool of its own', () => {
  storeContract({ describe, test, createStore: () => postgresStore({ url: server.url }) })
})

describe("the contract, on a pool of the host's, serializable, in a schema, with a prefix, unprepared", () => {
  let host: Pool
  beforeAll(async () => {
    const options = '-c default_transaction_isolation=serializable'
    host = new Pool({ connectionString: server.url, options })
    await host.query('CREATE SCHEMA auth')
    await host.query(postgresTables({ schema: 'auth', prefix: 'App_' }))
  })
  afterAll(() => host.end())
  const createStore = () => postgresStore({ pool: host, schema: 'auth', prefix: 'App_', prepare: false })
  storeContract({ describe, test, createStore })
})

describe('tables', () => {
  test('may be created again, by many at once, and keep what is in them', async () => {
    const store = aStore()
    const { key } = await inserted(store)
    await pool.query(postgresTables())
    await Promise.all(
      Array.from({ length: 8 }, () => aStore({ url: server.url, prefix: 'new_' }).createTables()),
    )
    await aStore({ pool, prefix: 'new_' }).createTables()
    expect(await store.find(key)).toMatchObject({ key })
    expect(await aStore({ pool, prefix: 'new_' }).find(key)).toBeUndefined()
  })

  test('of several names are served by the same connections', async () => {
    const one = new Pool({ connectionString: server.url, max: 1 })
    await aStore({ pool: one, prefix: 'other_' }).createTables()
    const grant = await inserted(aStore({ pool: one }))
    expect(await aStore({ pool: one, prefix: 'other_' }).find(grant.key)).toBeUndefined()
    expect(await aStore({ pool: one }).find(grant.key)).toMatchObject({ key: grant.key })
    await one.end()
  })

  test.each([{ prefix: 'oauth-' }, { prefix: 'x'.repeat(60) }, { schema: 'a"; DROP TABLE users; --' }])(
    'take no other names: %p',
    (names) => {
      expect(() => postgresStore({ pool, ...names })).toThrow(
        expect.objectContaining({
          name: 'ConfigError',
          code: 'bad_table_name',
          option: Object.keys(names)[0],
        }),
      )
      expect(() => postgresTables(names)).toThrow('Use letters, digits and underscores.')
    },
  )
})

test('100 callers in four processes race for one code: one wins', async () => {
  const racers = await startRacers('postgres', server.url)
  const store = aStore()
  for (let round = 0; round < 20; round++) {
    const { key } = await inserted(store)
    expect(await racers.race(key)).toEqual({ won: 1, lost: 99, failed: 0 })
    expect(await store.find(key)).toMatchObject({ link: 1 })
  }
  await racers.end()
})

test('find, advance and every other method are one statement', async () => {
  const store = aStore()
  const { key, subject } = await inserted(store)
  const queries = jest.spyOn(Client.prototype, 'query')
  const calls = [
    () => store.insert(aGrant()),
    () => store.find(key),
    () => store.advance(key, 0, aMove(1)),
    () => store.list(subject),
    () => store.revoke(key),
    () => store.revokeAll(subject),
    () => store.put(key, 'value', 60),
    () => store.get(key),
    () => store.take(key),
  ]
  for (const call of calls) {
    queries.mockClear()
    await call()
    expect(queries).toHaveBeenCalledTimes(1)
  }
  queries.mockRestore()
})

test('a user who has 100 grants in use can begin one more: the oldest goes', async () => {
  const store = aStore()
  const subject = aSubject()
  const inUse = Array.from({ length: 100 }, () => aGrant({ subject }))
  for (const grant of inUse) {
    await store.insert(grant)
    await store.advance(grant.key, 0, aMove(1))
  }
  const { key } = await inserted(store, { subject })
  expect(await store.find(key)).toMatchObject({ link: 0 })
  expect(await store.find(String(inUse[0]?.key))).toBeUndefined()
  expect(await store.revokeAll(subject)).toBe(100)
})

test('what is redeemed just when it would have to make room stays: it is in use by then', async () => {
  const store = aStore()
  for (let round = 0; round < 40; round++) {
    const subject = aSubject()
    await Promise.all(Array.from({ length: 100 }, () => inserted(store, { subject })))
    const oldest = (await store.list(subject, { limit: 10 })).grants
    const [redeemed] = await Promise.all([
      Promise.all(oldest.map(({ key }) => store.advance(key, 0, aMove(1)))),
      Promise.all(oldest.map(() => inserted(store, { subject }))),
    ])
    const found = await Promise.all(oldest.map(({ key }) => store.find(key)))
    expect(found.map(Boolean)).toEqual(redeemed)
  }
})

describe('what has expired', () => {
  test('is removed by inserts, a few rows by each', async () => {
    const store = aStore({ pool, prefix: 'sweep_' })
    await store.createTables()
    await Promise.all(Array.from({ length: 25 }, () => inserted(store)))
    await Promise.all(Array.from({ length: 25 }, () => store.put(randomId(), 'value', 60)))
    for (const table of ['sweep_grants', 'sweep_short_lived'])
      await pool.query(`UPDATE ${table} SET expires_at = now()`)
    for (const left of [15, 5, 0]) {
      await inserted(store)
      await store.put(randomId(), 'value', 60)
      expect(await count('sweep_grants WHERE expires_at <= now()')).toBe(left)
      expect(await count('sweep_short_lived WHERE expires_at <= now()')).toBe(left)
    }
    expect(await count('sweep_grants')).toBe(3)
    expect(await count('sweep_short_lived')).toBe(3)
  })

  test('holds nobody up while another transaction has it', async () => {
    const store = aStore({ pool, prefix: 'sweep_' })
    await store.createTables()
    const { key } = await inserted(store, { expiresIn: 0.05 })
    await delay(100)
    const other = await pool.connect()
    await other.query('BEGIN')
    await other.query('SELECT 1 FROM sweep_grants WHERE key = $1 FOR UPDATE', [key])
    await inserted(store)
    expect(await count('sweep_grants WHERE key = $1', [key])).toBe(1)
    await other.query('COMMIT')
    other.release()
    await inserted(store)
    expect(await count('sweep_grants WHERE key = $1', [key])).toBe(0)
  })
})

describe('with 100,000 grants', () => {
  const GRANTS = 100_000
  let sample: GrantRecord

  beforeAll(async () => {
    sample = await anOrdinaryGrant()
    const big = postgresStore({ pool, prefix: 'big_' })
    await big.createTables()
    const keys = Array.from({ length: GRANTS }, () => `${aSubject().slice(0, 4)}.${randomId()}`)
    await pool.query(
      `INSERT INTO big_grants (key, subject, client, data, link, inserted_at, moved_at, expires_at, ends_at)
      SELECT key, left(key, 5) || 's' || right(key, 21), $2, $3, 0, now(), now(),
        now() + random() * interval '30 days', now() + interval '90 days'
      FROM unnest($1::text[]) AS keys (key)`,
      [keys, Buffer.from(sample.client), Buffer.from(sample.data)],
    )
    await pool.query(
      `INSERT INTO big_short_lived SELECT convert_to(key, 'UTF8'), 'value', expires_at FROM big_grants`,
    )
    await pool.query('VACUUM ANALYZE big_grants, big_short_lived')
  })

  test('every statement goes by an index, whatever it is asked for', async () => {
    const statements = statementsFor({ prefix: 'big_' })
    const calls: Record<keyof typeof statements, { parameters: string; by: string[] }> = {
      insert: {
        parameters: `'key', 'subject', 'client', 'data', 0, 60, 60`,
        by: ['big_grants_by_expiry', 'big_grants_by_subject', 'big_grants_pkey'],
      },
      find: { parameters: `'key'`, by: ['big_grants_pkey'] },
      advance: { parameters: `'key', 0, 1, 'op', 60`, by: ['big_grants_pkey'] },
      revoke: { parameters: `'key'`, by: ['big_grants_pkey'] },
      list: { parameters: `'subject', 0, 101`, by: ['big_grants_by_subject'] },
      revokeAll: { parameters: `'subject', NULL`, by: ['big_grants_by_subject', 'big_grants_pkey'] },
      put: { parameters: `'key', 'value', 60`, by: ['big_short_lived_by_expiry'] },
      get: { parameters: `'key'`, by: ['big_short_lived_pkey'] },
      take: { parameters: `'key'`, by: ['big_short_lived_pkey'] },
    }
    const client = await pool.connect()
    await client.query('SET plan_cache_mode = force_generic_plan') // as a prepared statement is planned in the long run
    for (const [name, { parameters, by }] of Object.entries(calls)) {
      await client.query(`PREPARE ${name} AS ${statements[name as keyof typeof statements].text}`)
      const { rows } = await client.query(`EXPLAIN (FORMAT JSON) EXECUTE ${name} (${parameters})`)
      const plan = JSON.stringify(rows)
      expect({ name, seqScan: plan.includes('Seq Scan') }).toEqual({ name, seqScan: false })
      const used = new Set([...plan.matchAll(/"Index Name":"(\w+)"/g)].map(([, index]) => index))
      expect({ name, used: [...used].sort() }).toEqual({ name, used: by })
    }
    client.release(true)
  })

  test('a grant takes less than 600 bytes, indexes and all; a move writes no index', async () => {
    const { rows } = await pool.query(
      `SELECT pg_table_size('big_grants')::int AS rows, pg_indexes_size('big_grants')::int AS indexes`,
    )
    const bytes = { row: rows[0].rows / GRANTS, indexes: rows[0].indexes / GRANTS }
    process.stdout.write(
      `PostgreSQL: ${Math.round(bytes.row)} bytes for a grant whose data has ${sample.data.length}, ` +
        `${Math.round(bytes.indexes)} in indexes\n`,
    )
    expect(bytes.row + bytes.indexes).toBeLessThan(600)

    const store = aStore({ pool, prefix: 'big_' })
    const moved = await Promise.all(
      Array.from({ length: 20 }, () => inserted(store, { ...sample, ...names() })),
    )
    const updates = () => statistics('n_tup_upd AS moves, n_tup_hot_upd AS hot')
    for (const { key } of moved) await store.advance(key, 0, aMove(1, { expiresIn: 2_592_000 }))
    const before = await eventually(async () => {
      const now = await updates()
      expect(now.moves).toBe(20)
      return now
    })
    for (let link = 1; link < 30; link++) {
      for (const { key } of moved) await store.advance(key, link, aMove(link + 1, { expiresIn: 2_592_000 }))
    }
    await eventually(async () => expect((await updates()).moves).toBe(600))
    expect((await updates()).hot - before.hot).toBeGreaterThan(0.9 * 580)
  })

  function names() {
    const subject = aSubject()
    return { subject, key: `${subject.slice(0, 4)}.${randomId()}` }
  }

  async function statistics(columns: string): Promise<{ moves: number; hot: number }> {
    const { rows } = await pool.query(
      `SELECT ${columns} FROM pg_stat_user_tables WHERE relname = 'big_grants'`,
    )
    return { moves: Number(rows[0].moves), hot: Number(rows[0].hot) }
  }
})

describe('the connection', () => {
  test("close() leaves the host's pool open, and no listener of its own on it or its connections", async () => {
    const host = new Pool({ connectionString: server.url, max: 1 })
    const client = await host.connect()
    client.release()
    const listeners = () =>
      [host, client].flatMap((one) => one.eventNames().map((name) => one.listenerCount(name)))
    const before = listeners()
    const store = postgresStore({ pool: host })
    await inserted(store)
    await store.close()
    await expect(store.get('none')).rejects.toThrow('closed')
    expect((await host.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
    expect(listeners()).toEqual(before)
    await host.end()
  })

  test('an error quotes nothing that was written: it is not for logs', async () => {
    const store = aStore({ pool, prefix: 'strict_' })
    await store.createTables()
    await pool.query(`ALTER TABLE strict_grants ADD CHECK (client <> 'spa')`)
    const grant = aGrant({ client: 'spa', data: 'confidential' })
    const error = await store.insert(grant).catch((cause: unknown) => cause)
    expect(error).toMatchObject({ code: '23514' })
    const shown = inspect(error, { depth: 10 })
    for (const secret of ['confidential', Buffer.from('confidential').toString('hex'), grant.key]) {
      expect(shown).not.toContain(secret)
    }
    // An error that PostgreSQL told costs no connection.
    expect(pool.idleCount).toBe(pool.totalCount)
  })

  test('that may only read, as of a primary that was demoted, is not kept', async () => {
    const restricted = new Pool({ connectionString: server.url, max: 3 })
    const store = aStore({ pool: restricted })
    await Promise.all([1, 2, 3].map(() => store.put(randomId(), 'value', 60)))
    for (const idle of await Promise.all([1, 2, 3].map(() => restricted.connect()))) {
      await idle.query('SET default_transaction_read_only = on')
      idle.release()
    }
    const refused = await Promise.allSettled([1, 2, 3].map(() => store.put(randomId(), 'value', 60)))
    expect(refused).toMatchObject(Array(3).fill({ status: 'rejected', reason: { code: '25006' } }))
    await Promise.all([1, 2, 3].map(() => store.put(randomId(), 'value', 60)))
    await restricted.end()
  })

  test('that has forgotten what was prepared on it is not kept', async () => {
    const forgetful = new Pool({ connectionString: server.url, max: 1 })
    const store = aStore({ pool: forgetful })
    await store.get('none')
    await forgetful.query('DISCARD ALL')
    await expect(store.get('none')).rejects.toMatchObject({ code: '26000' })
    expect(await store.get('none')).toBeUndefined()
    await forgetful.end()
  })

  test.each([
    ['open', 'SELECT 1', 'in the middle of a transaction'],
    ['failed', 'SELECT 1 / 0', 'current transaction is aborted'],
  ])(
    'that was given back in a transaction (%s) answers nothing: what is done there is undone',
    async (_, sql, message) => {
      const careless = new Pool({ connectionString: server.url, max: 1 })
      const store = aStore({ pool: careless })
      const client = await careless.connect()
      await client.query('BEGIN')
      await client.query(sql).catch(() => {})
      client.release()
      const key = randomId()
      await expect(store.put(key, 'value', 60)).rejects.toThrow(message)
      expect(await store.put(key, 'value', 60)).toBe(true)
      await careless.end()
      expect(await aStore().get(key)).toBe('value')
    },
  )

  test('that was given back while its COMMIT is under way is used behind it', async () => {
    const hasty = new Pool({ connectionString: server.url, max: 1 })
    const store = aStore({ pool: hasty })
    const client = await hasty.connect()
    await client.query('BEGIN')
    const committed = client.query('COMMIT')
    client.release()
    expect(await store.put(randomId(), 'value', 60)).toBe(true)
    expect((await committed).command).toBe('COMMIT')
    await hasty.end()
  })

  test('tables that are missing are an error, and nothing else', async () => {
    await expect(aStore({ pool, prefix: 'none_' }).get('none')).rejects.toMatchObject({ code: '42P01' })
  })

  test('a table that somebody has locked: calls reject in time, and none goes on waiting in PostgreSQL', async () => {
    const store = aStore({ url: server.url })
    const { key } = await inserted(store)
    const admin = await pool.connect()
    await admin.query('BEGIN')
    await admin.query('LOCK TABLE oauth_grants')
    const began = performance.now()
    const calls = await Promise.allSettled(Array.from({ length: 50 }, () => store.advance(key, 0, aMove(1))))
    expect(performance.now() - began).toBeLessThan(1000)
    expect(new Set(calls.map(({ status }) => status))).toEqual(new Set(['rejected']))
    await eventually(async () =>
      expect(await count(`pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'UPDATE%'`)).toBe(0),
    )
    await admin.query('COMMIT')
    admin.release()
    expect(await store.find(key)).toMatchObject({ link: 0 })
  })

  describe('and a server of its own', () => {
    let own: PostgresServer
    beforeEach(async () => {
      own = await startPostgres()
    })
    afterEach(() => own.stop())

    test('restarted in the middle: calls reject, then all is well, and all that was answered is there', async () => {
      const store = aStore({ url: own.url })
      await store.createTables()
      const { key } = await inserted(store)
      let link = 0
      let rejected = 0
      let stop = false
      const moving = (async () => {
        while (!stop) {
          try {
            if (await store.advance(key, link, aMove(link + 1))) link++
            else link = (await store.find(key))?.link ?? Number.NaN
          } catch {
            rejected++
            await delay(5)
          }
        }
      })()
      await delay(100)
      for (const end of [() => Promise.resolve(), () => own.kill()]) {
        await end()
        await own.restart()
        const back = performance.now()
        const before = link
        await eventually(() => expect(link).toBeGreaterThan(before))
        expect(performance.now() - back).toBeLessThan(2000)
      }
      stop = true
      await moving
      expect(rejected).toBeGreaterThan(0)
      expect(await store.find(key)).toMatchObject({ link })
    })

    test.each(['its own pool', "a host's pool without any timeout"])(
      'frozen, by %s: the router answers 503 within 1.5 s, nothing piles up, and back is back',
      async (kind) => {
        const host = new Pool({ connectionString: own.url, max: 2 })
        host.on('error', () => {})
        const store = aStore(kind === 'its own pool' ? { url: own.url } : { pool: host })
        await store.createTables()
        const app = fixture({ store })
        const { refresh_token } = await app.tokens()

        own.pause()
        const began = performance.now()
        for (const answer of await Promise.all([1, 2, 3].map(() => app.refresh(refresh_token)))) {
          expectUnavailable(answer)
        }
        expect(performance.now() - began).toBeLessThan(1500)

        const keys = Array.from({ length: 300 }, randomId)
        for (let round = 0; round < 2; round++) {
          const calls = await Promise.allSettled(keys.map((key) => store.put(key, 'value', 60)))
          expect(new Set(calls.map(({ status }) => status))).toEqual(new Set(['rejected']))
        }
        expect(host.waitingCount).toBeLessThanOrEqual(300)
        const refused = performance.now()
        const last = await Promise.allSettled(keys.map((key) => store.put(key, 'value', 60)))
        expect(last.every(({ status }) => status === 'rejected')).toBe(true)
        if (kind !== 'its own pool') expect(performance.now() - refused).toBeLessThan(100)

        own.resume()
        const back = performance.now()
        const refreshed = await eventually(async () => {
          const answer = await app.refresh(refresh_token)
          expect(answer.status).toBe(200)
          return answer
        })
        expect(performance.now() - back).toBeLessThan(2000)
        expect((await app.refresh(refreshed.body.refresh_token)).status).toBe(200)
        // What was given up while it waited for a connection was not made up for.
        const puts = await Promise.all(keys.map((key) => store.get(key)))
        expect(puts.filter(Boolean).length).toBeLessThanOrEqual(20)
        await host.end()
      },
    )

    test.each(['reachable', 'frozen', 'gone'])(
      'close() leaves no handle open: a process ends by itself (%s)',
      async (kind) => {
        await aStore({ url: own.url }).createTables()
        const program = `
          const { postgresStore } = require(${JSON.stringify(join(__dirname, '../../lib/stores/postgres.ts'))})
          const store = postgresStore({ url: ${JSON.stringify(own.url)} })
          process.stdin.once('data', () => store.get('none')
            .then(() => 'answered', () => 'rejected')
            .then((outcome) => console.log(outcome))
            .then(() => Promise.all([store.close(), store.close()]))
            .then(() => console.log('closed')))
          store.get('none').then(() => console.log('ready'))`
        const child = spawn(process.execPath, ['--require', 'tsx/cjs', '--eval', program])
        let output = ''
        for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
        await eventually(() => expect(output).toBe('ready\n'))
        if (kind === 'frozen') own.pause()
        if (kind === 'gone') await own.kill()
        child.stdin.end('go')
        await eventually(() => expect(output).toContain('closed'))
        const closed = performance.now()
        if (child.exitCode === null) await once(child, 'exit')
        expect(output).toBe(`ready\n${kind === 'reachable' ? 'answered' : 'rejected'}\nclosed\n`)
        expect(performance.now() - closed).toBeLessThan(1000)
      },
    )
  })
})
