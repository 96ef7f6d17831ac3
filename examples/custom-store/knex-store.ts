// A store of one's own: grants in MariaDB or MySQL, by Knex. docs/custom-store.md builds it step by step.
import { createHash } from 'node:crypto'
import type { StoredGrant, TokenStore } from 'express-token-endpoint'
import type { Knex } from 'knex'
import { retryDeadlocks } from './retry-deadlocks'
import { GRANTS, type GrantRow, SHORT_LIVED } from './tables'

/** How many grants a user may have for one client, so that nobody can fill the table. */
const MAX_GRANTS_PER_CLIENT = 100

export function knexStore(knex: Knex): TokenStore {
  const now = knex.raw("TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000")
  const fromNow = (seconds: number) => knex.raw('? + ?', [now, Math.round(1000 * seconds)])
  const live = (table = GRANTS) => knex(table).where('expires_at', '>', now)

  async function rows(condition: object, refine = (query: Knex.QueryBuilder) => query): Promise<GrantRow[]> {
    return refine(live().where(condition).select('*', { now }))
  }

  /** False when its id is taken. */
  async function insertInto(table: string, row: object): Promise<boolean> {
    try {
      await knex(table).insert(row)
      return true
    } catch (error) {
      if ((error as { code?: string }).code === 'ER_DUP_ENTRY') return false
      throw error
    }
  }

  /** With each row that comes, at most ten leave that have expired. So none pile up, and no job has to run. */
  async function sweep(table: string): Promise<void> {
    const expired = () => knex(table).where('expires_at', '<=', now)
    const some = await expired().orderBy('expires_at').limit(10).pluck('id')
    await expired().whereIn('id', some).delete() // still expired: another call may have put the key again
  }

  async function makeRoom(added: { id: string; subject: string; client: Buffer }): Promise<void> {
    const { id, subject, client } = added
    const before = knex(GRANTS).where({ id }).select('serial') // so of many that come at once, the last stays
    const older = live().where({ subject, client }).where('serial', '<', before)
    const inOrder = older.orderByRaw('link > 0 DESC, serial DESC')
    const tooMany = await inOrder.offset(MAX_GRANTS_PER_CLIENT - 1).select('id', 'link')
    for (const one of tooMany) await knex(GRANTS).where(one).delete() // what has moved since is in use: it stays
  }

  async function get(key: string): Promise<string | undefined> {
    const kept = live(SHORT_LIVED).where({ id: hash(key) })
    return (await kept.first('value'))?.value.toString()
  }

  return retryDeadlocks({
    async insert({ key, subject, client, data, link, expiresIn, endsIn }) {
      const row = { id: key, subject, client: Buffer.from(client), data: Buffer.from(data), link }
      const times = { inserted_at: now, moved_at: now, ends_at: fromNow(endsIn) }
      const expires_at = fromNow(Math.min(expiresIn, endsIn))
      if (!(await insertInto(GRANTS, { ...row, ...times, expires_at }))) return
      await makeRoom(row)
      await sweep(GRANTS)
    },

    async find(key) {
      return (await rows({ id: key })).map(grantOf)[0]
    },

    async advance(key, from, { op, to, expiresIn }) {
      const [row] = await rows({ id: key })
      if (!row) return false
      if (row.op.toString() === op) return true
      if (row.link !== from || to < from) return false
      const passed: number[] = Array(Math.min(4, to - from)).fill(row.now)
      const superseded = [...passed, ...JSON.parse(row.superseded_at)].slice(0, 4)
      const moved = await live()
        .where({ id: key, link: from }) // of many that have read the same link, only one still finds it
        .update({
          link: to,
          op,
          moved_at: row.now,
          superseded_at: JSON.stringify(superseded),
          expires_at: knex.raw('LEAST(ends_at, GREATEST(expires_at, ?))', [fromNow(expiresIn)]),
        })
      return moved === 1 || (await rows({ id: key, op })).length === 1
    },

    async revoke(key) {
      return (await live().where({ id: key }).delete()) === 1
    },

    async list(subject, { limit = 100, after = '0' } = {}) {
      const found = await rows({ subject }, (query) =>
        query
          .where('serial', '>', /^\d{1,15}$/.test(after) ? after : Number.MAX_SAFE_INTEGER)
          .orderBy('serial')
          .limit(limit + 1),
      )
      const page = found.slice(0, limit)
      return {
        grants: page.map(grantOf),
        next: found.length > limit ? String(page.at(-1)?.serial) : undefined,
      }
    },

    revokeAll: (subject, { client } = {}) =>
      live()
        .where({ subject, ...(client !== undefined && { client: Buffer.from(client) }) })
        .delete(),

    async put(key, value, ttl) {
      const row = { id: hash(key), value: Buffer.from(value), expires_at: fromNow(ttl) }
      await sweep(SHORT_LIVED)
      if (await insertInto(SHORT_LIVED, row)) return true
      const expired = knex(SHORT_LIVED).where({ id: row.id }).where('expires_at', '<=', now)
      return (await expired.update(row)) === 1 || (await get(key)) === value
    },

    get,

    async take(key) {
      const value = await get(key)
      if (value === undefined) return undefined
      // Of many that have read the value, only one still finds it.
      const taken = await live(SHORT_LIVED)
        .where({ id: hash(key), value: Buffer.from(value) })
        .delete()
      return taken === 1 ? value : undefined
    },

    async close() {}, // the connections are the host's
  })
}

function grantOf(row: GrantRow): StoredGrant {
  const age = (time: number) => Math.max(0, row.now - time) / 1000
  return {
    key: row.id.toString(),
    subject: row.subject.toString(),
    client: row.client.toString(),
    data: row.data.toString(),
    link: row.link,
    age: age(row.inserted_at),
    idle: age(row.moved_at),
    superseded: (JSON.parse(row.superseded_at) as number[]).map(age),
  }
}

/** Keys may be of any length, which an index takes badly. */
function hash(key: string): Buffer {
  return createHash('sha256').update(key).digest()
}
