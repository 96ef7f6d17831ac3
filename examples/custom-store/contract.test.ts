// The contract on the store: DATABASE_URL=mysql://user:password@127.0.0.1:3306/app npm run example:custom-store
import { after, before, describe, test } from 'node:test'
import { storeContract } from 'express-token-endpoint/testing'
import createKnex from 'knex'
import { knexStore } from './knex-store'
import { createTables, GRANTS } from './tables'

const knex = createKnex({
  client: 'mysql2',
  connection: process.env.DATABASE_URL || 'mysql://root@127.0.0.1:3306/test',
  acquireConnectionTimeout: 2000,
})

before(async () => {
  if (!(await knex.schema.hasTable(GRANTS))) await createTables(knex)
})
after(() => knex.destroy())

storeContract({ describe, test, createStore: () => knexStore(knex) })
