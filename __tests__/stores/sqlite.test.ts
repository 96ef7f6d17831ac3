import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sqliteStore } from '../../lib/stores/sqlite'
import { storeContract } from '../../lib/testing'

const directory = mkdtempSync(join(tmpdir(), 'sqlite-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))
describe('the contract', () => {
  storeContract({ describe, test, createStore: () => sqliteStore({ file: join(directory, 'contract.db') }) })
})
