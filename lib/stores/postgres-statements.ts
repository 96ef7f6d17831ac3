// What PostgreSQL itself is told. Each operation is one statement, so that it is one round trip and needs no transaction.
import { hash } from 'node:crypto'
import { ConfigError } from '../errors'
import { MAX_GRANTS_PER_CLIENT } from './token-store'

export interface PostgresTables {
  /** The schema of the tables. Default: what `search_path` says. */
  readonly schema?: string | undefined
  /** What the names of tables and indexes begin with. Default: `oauth_`. */
  readonly prefix?: string | undefined
}

export interface Statement {
  readonly name: string
  readonly text: string
}

/** With each row that comes, at most so many leave that have expired: more than come, so that none pile up. */
const SWEPT_AT_ONCE = 10

/**
 * The tables and indexes as SQL, for your migrations. It may run again: what is there stays as it is.
 *
 * - A move rarely changes what an index holds. So a rotation is a HOT update: it writes one row, no index, and its page is
 *   cleaned up by the next one. `fillfactor` leaves it the place.
 * - `client`, `data` and `value` are bytes because text of PostgreSQL cannot hold a NUL. The key of a short-lived value
 *   is a hash of it.
 *
 * @example
 * await pool.query(postgresTables({ schema: 'auth' }))
 */
export function postgresTables(tables: PostgresTables = {}): string {
  const { grants, shortLived, index } = namesOf(tables)
  return `
CREATE TABLE IF NOT EXISTS ${grants} (
  key text COLLATE "C" PRIMARY KEY,
  serial bigint GENERATED ALWAYS AS IDENTITY,
  subject text COLLATE "C" NOT NULL,
  client bytea NOT NULL,
  data bytea NOT NULL,
  link integer NOT NULL,
  op text COLLATE "C",
  inserted_at timestamptz NOT NULL,
  moved_at timestamptz NOT NULL,
  superseded_at timestamptz[] NOT NULL DEFAULT '{}',
  expires_at timestamptz NOT NULL,
  ends_at timestamptz NOT NULL
) WITH (fillfactor = 85);
CREATE INDEX IF NOT EXISTS ${index('grants_by_subject')} ON ${grants} (subject, serial);
CREATE INDEX IF NOT EXISTS ${index('grants_by_expiry')} ON ${grants} (expires_at);

CREATE TABLE IF NOT EXISTS ${shortLived} (
  key bytea PRIMARY KEY,
  value bytea NOT NULL,
  expires_at timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS ${index('short_lived_by_expiry')} ON ${shortLived} (expires_at);
`
}

/** Sent as one message, it is one transaction. Two that create the same table at once would fail, so they take turns. */
export function createTables(tables: PostgresTables): string {
  return `
SET LOCAL statement_timeout = 0;
SELECT pg_advisory_xact_lock(hashtext('express-token-endpoint'));
${postgresTables(tables)}`
}

/**
 * `= ANY(ARRAY(SELECT …))`, and not `IN`: the inner query is asked once, whatever the plan, so that its LIMIT is one.
 *
 * `now()` is the moment at which a statement began: one for all rows, so that indexes can be asked by it. Where a
 * statement may have waited for a row, `clock_timestamp()` asks again.
 */
export function statementsFor(tables: PostgresTables) {
  const { grants, shortLived } = namesOf(tables)

  const columns = `
    key, serial, subject, client, data, link,
    greatest(0, extract(epoch FROM now() - inserted_at))::float8 AS age,
    greatest(0, extract(epoch FROM now() - moved_at))::float8 AS idle,
    ARRAY(
      SELECT greatest(0, extract(epoch FROM now() - superseded))::float8
      FROM unnest(superseded_at) WITH ORDINALITY AS links (superseded, place) ORDER BY place
    ) AS superseded`

  /** Rows that another statement holds are skipped, so that nobody waits for a sweep. */
  const sweep = (table: string) => `
    DELETE FROM ${table} WHERE ctid = ANY(ARRAY(
      SELECT ctid FROM ${table} WHERE expires_at <= now()
      ORDER BY expires_at LIMIT ${SWEPT_AT_ONCE} FOR UPDATE SKIP LOCKED
    ))`

  return {
    /**
     * $1 key, $2 subject, $3 client, $4 data, $5 link, $6 expiresIn, $7 endsIn. What has moved since the crowd was looked
     * at stays: the lock looks at `link` again.
     */
    insert: statement(
      'insert',
      `WITH swept AS (${sweep(grants)}),
      crowd AS MATERIALIZED (
        SELECT key, link FROM ${grants}
        WHERE subject = $2 AND client = $3 AND expires_at > now() AND key <> $1
        ORDER BY link > 0 DESC, serial DESC OFFSET ${MAX_GRANTS_PER_CLIENT - 1}
      ),
      crowded_out AS (
        DELETE FROM ${grants} WHERE key = ANY(ARRAY(
          SELECT key FROM ${grants} AS one WHERE key = ANY(ARRAY(SELECT key FROM crowd))
          AND link = (SELECT link FROM crowd WHERE crowd.key = one.key)
          FOR UPDATE SKIP LOCKED
        ))
      )
      INSERT INTO ${grants} (key, subject, client, data, link, inserted_at, moved_at, expires_at, ends_at)
      VALUES (
        $1::text, $2::text, $3::bytea, $4::bytea, $5::integer, now(), now(),
        now() + least($6::float8, $7::float8) * interval '1 second', now() + $7 * interval '1 second'
      )
      ON CONFLICT (key) DO NOTHING`,
    ),

    /** $1 key */
    find: statement('find', `SELECT ${columns} FROM ${grants} WHERE key = $1 AND expires_at > now()`),

    /**
     * $1 key, $2 from, $3 to, $4 op, $5 expiresIn. The same move made again finds its own `op`, and that there is no
     * link to pass. An expiry that has to grow grows by a tenth more than asked for, so that the index changes rarely.
     */
    advance: statement(
      'advance',
      `UPDATE ${grants} SET
        link = $3::integer,
        op = $4::text,
        moved_at = greatest(moved_at, clock_timestamp()),
        superseded_at =
          (array_fill(greatest(moved_at, clock_timestamp()), ARRAY[least(4, $3 - link)]) || superseded_at)[1:4],
        expires_at = CASE
          WHEN expires_at >= clock_timestamp() + $5::float8 * interval '1 second' THEN expires_at
          ELSE least(ends_at, clock_timestamp() + 1.1 * $5 * interval '1 second')
        END
      WHERE key = $1 AND (link = $2 OR op = $4) AND $3 >= $2 AND expires_at > clock_timestamp()`,
    ),

    /** $1 key. An expired one goes as well, but was not there. */
    revoke: statement(
      'revoke',
      `DELETE FROM ${grants} WHERE key = $1 RETURNING expires_at > clock_timestamp() AS live`,
    ),

    /** $1 subject, $2 the serial that the page before ended with, $3 limit */
    list: statement(
      'list',
      `SELECT ${columns} FROM ${grants}
      WHERE subject = $1 AND serial > $2 AND expires_at > now()
      ORDER BY serial LIMIT $3`,
    ),

    /** $1 subject, $2 client or null. In one order always, so that two of them never wait for each other. */
    revokeAll: statement(
      'revoke_all',
      `DELETE FROM ${grants} WHERE key = ANY(ARRAY(
        SELECT key FROM ${grants} WHERE subject = $1 AND ($2::bytea IS NULL OR client = $2)
        ORDER BY serial FOR UPDATE
      )) RETURNING expires_at > clock_timestamp() AS live`,
    ),

    /** $1 key, $2 value, $3 ttl. An expired one is taken over. */
    put: statement(
      'put',
      `WITH swept AS (${sweep(shortLived)})
      INSERT INTO ${shortLived} AS kept (key, value, expires_at)
      VALUES ($1, $2, now() + $3::float8 * interval '1 second')
      ON CONFLICT (key) DO UPDATE
      SET value = excluded.value, expires_at = CASE
        WHEN kept.expires_at <= clock_timestamp() THEN excluded.expires_at
        ELSE kept.expires_at
      END
      WHERE kept.value = excluded.value OR kept.expires_at <= clock_timestamp()`,
    ),

    /** $1 key */
    get: statement('get', `SELECT value FROM ${shortLived} WHERE key = $1 AND expires_at > now()`),

    /** $1 key */
    take: statement(
      'take',
      `DELETE FROM ${shortLived} WHERE key = $1 RETURNING value, expires_at > clock_timestamp() AS live`,
    ),
  }
}

/** Named after its text: stores of other tables, or of another version of the library, may share a connection. */
function statement(name: string, text: string): Statement {
  return { name: `oauth_${name}_${hash('sha256', text, 'hex').slice(0, 16)}`, text }
}

function namesOf({ schema, prefix = 'oauth_' }: PostgresTables) {
  const qualifier = schema === undefined ? '' : `${quoted('schema', schema)}.`
  return {
    grants: `${qualifier}${quoted('prefix', `${prefix}grants`)}`,
    shortLived: `${qualifier}${quoted('prefix', `${prefix}short_lived`)}`,
    index: (name: string) => quoted('prefix', `${prefix}${name}`),
  }
}

/** 63 bytes is what PostgreSQL keeps of a name. */
function quoted(option: string, name: string): string {
  if (/^[A-Za-z_][A-Za-z0-9_]{0,62}$/.test(name)) return `"${name}"`
  throw new ConfigError(
    'bad_table_name',
    option,
    `makes the name ${name}.`,
    'Use letters, digits and underscores.',
  )
}
