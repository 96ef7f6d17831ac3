// The example on a real MariaDB, as its README says to start it, and what the contract does not ask.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import createKnex, { type Knex } from 'knex'
import { knexStore } from '../../examples/custom-store/knex-store'
import { createTables, GRANTS, SHORT_LIVED } from '../../examples/custom-store/tables'
import { storeContract } from '../../lib/testing'
import { fixture } from '../support/fixture'
import { aGrant, aMove, aSubject, randomId } from '../support/grants'
import { type MariadbServer, startMariadb } from '../support/mariadb-server'
import { anOrdinaryGrant } from '../support/ordinary-grant'

const ROOT = join(__dirname, '../..')

let server: MariadbServer
let knex: Knex
beforeAll(async () => {
  server = await startMariadb()
  knex = createKnex({ client: 'mysql2', connection: server.url })
  await createTables(knex)
})
afterAll(async () => {
  await knex.destroy()
  await server.stop()
})

describe('the contract', () => {
  storeContract({ describe, test, createStore: () => knexStore(knex) })
})

test('one command shows it green', async () => {
  const command = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).scripts['example:custom-store']
  const [build, contract] = command.split(' && ')
  expect(build).toBe('npm run build') // as it was before this run of the tests
  const child = spawn(contract, { cwd: ROOT, shell: true, env: { ...process.env, DATABASE_URL: server.url } })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
  const [code] = await once(child, 'close')
  expect({ code, output }).toEqual({ code: 0, output: expect.stringMatching(/^. fail 0$/m) })
  expect(Number(/^. pass (\d+)$/m.exec(output)?.[1])).toBeGreaterThan(30)
})

test('a router works on it', async () => {
  const app = fixture({ store: knexStore(knex) })
  const { refresh_token } = await app.tokens()
  const refreshed = await app.refresh(refresh_token)
  expect(refreshed.status).toBe(200)
  expect((await app.oauth.grants.list('alice')).grants).toHaveLength(1)
  expect(await app.oauth.grants.revokeAll('alice')).toBe(1)
  expect((await app.refresh(refreshed.body.refresh_token)).body.error).toBe('invalid_grant')
})

test('what has expired is removed by inserts, a few rows by each', async () => {
  const store = knexStore(knex)
  await knex(GRANTS).delete()
  await knex(SHORT_LIVED).delete()
  await Promise.all(Array.from({ length: 25 }, () => store.insert(aGrant())))
  await Promise.all(Array.from({ length: 25 }, () => store.put(randomId(), 'value', 60)))
  for (const table of [GRANTS, SHORT_LIVED]) await knex(table).update({ expires_at: 0 })
  const count = async (table: string) => Number((await knex(table).count({ count: '*' }))[0]?.count)
  for (const left of [16, 7, 3]) {
    await store.insert(aGrant())
    await store.put(randomId(), 'value', 60)
    expect({ grants: await count(GRANTS), values: await count(SHORT_LIVED) }).toEqual({
      grants: left,
      values: left,
    })
  }
})

test('an ordinary grant takes less than 1,500 bytes, indexes and all', async () => {
  const COUNT = 10_000
  await knex(GRANTS).truncate()
  const sample = await anOrdinaryGrant()
  await knexStore(knex).insert(sample)
  // The others as the store wrote this one, all at once: to insert each would take most of the time of this file.
  const [{ serial, ...written }] = await knex(GRANTS).select()
  const others = Array.from({ length: COUNT - 1 }, () => {
    const { key, subject } = aGrant()
    return { ...written, id: key, subject }
  })
  await knex.batchInsert(GRANTS, others, 500)
  await knex.raw('ANALYZE TABLE ??', [GRANTS])
  const size = await knex('information_schema.tables')
    .where({ table_name: GRANTS })
    .first({ rows: 'data_length', indexes: 'index_length' })
  const [row, indexes] = [size.rows / COUNT, size.indexes / COUNT]
  process.stdout.write(
    `MariaDB: ${Math.round(row + indexes)} bytes for a grant whose data has ${sample.data.length}, ` +
      `${Math.round(indexes)} of them in indexes\n`,
  )
  expect(row + indexes).toBeGreaterThan(400)
  expect(row + indexes).toBeLessThan(1500)
})

test('many inserts, moves and removals for one user at once get in nobody’s way', async () => {
  const store = knexStore(knex)
  const subject = aSubject()
  const grants = Array.from({ length: 150 }, () => aGrant({ subject }))
  await Promise.all(
    grants.map(async (grant, i) => {
      await store.insert(grant)
      await store.advance(grant.key, 0, aMove(1))
      if (i % 10 === 0) await store.revokeAll(subject)
    }),
  )
  await store.revokeAll(subject)
  expect(await store.list(subject)).toEqual({ grants: [], next: undefined })
})

test('docs/custom-store.md says the same: each of its blocks is in the example, and the store is in its blocks', () => {
  const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')
  const files = ['knex-store.ts', 'retry-deadlocks.ts', 'tables.ts', 'contract.test.ts'].map((name) =>
    read(`examples/custom-store/${name}`),
  )
  const blocks = [...read('docs/custom-store.md').matchAll(/```ts\n(.*?)```/gs)].map(([, block]) =>
    String(block),
  )
  for (const block of blocks) {
    expect({ block, found: files.some((file) => file.includes(block)) }).toEqual({ block, found: true })
  }
  const told = new Set(blocks.join('').split('\n'))
  const [store] = files as [string]
  const body = store.slice(store.indexOf('export function')).split('\n')
  expect(body.filter((line) => !told.has(line))).toEqual([])
})
