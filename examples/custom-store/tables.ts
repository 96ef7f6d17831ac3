import type { Knex } from 'knex'

export const GRANTS = 'oauth_grants'
export const SHORT_LIVED = 'oauth_short_lived'

/** What is read of a grant. Times are milliseconds by the clock of the database, and so is `now`. */
export interface GrantRow {
  serial: number
  id: Buffer
  subject: Buffer
  client: Buffer
  data: Buffer
  link: number
  op: Buffer
  inserted_at: number
  moved_at: number
  superseded_at: string
  now: number
}

/** For your migrations. Strings are kept as bytes: as text, `a` and `A` would be the same id. */
export async function createTables(knex: Knex): Promise<void> {
  await knex.schema
    .createTable(GRANTS, (table) => {
      table.bigIncrements('serial') // the order of inserts
      table.specificType('id', 'varbinary(64) NOT NULL').unique()
      table.specificType('subject', 'varbinary(64) NOT NULL').index()
      table.specificType('client', 'mediumblob NOT NULL')
      table.specificType('data', 'mediumblob NOT NULL')
      table.integer('link').unsigned().notNullable()
      table.specificType('op', "varbinary(64) NOT NULL DEFAULT ''")
      table.bigInteger('inserted_at').notNullable()
      table.bigInteger('moved_at').notNullable()
      table.string('superseded_at').notNullable().defaultTo('[]')
      table.bigInteger('expires_at').notNullable().index()
      table.bigInteger('ends_at').notNullable()
    })
    .createTable(SHORT_LIVED, (table) => {
      table.specificType('id', 'binary(32) NOT NULL').primary()
      table.specificType('value', 'mediumblob NOT NULL')
      table.bigInteger('expires_at').notNullable().index()
    })
}
