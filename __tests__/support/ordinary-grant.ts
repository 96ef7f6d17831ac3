import { memoryStore } from '../../lib'
import type { GrantRecord } from '../../lib/stores/token-store'
import { fixture } from './fixture'
import { randomId } from './grants'

/** What a router stores for an ordinary authorization: so much does a grant take. */
export async function anOrdinaryGrant(): Promise<GrantRecord> {
  const store = memoryStore()
  const records: GrantRecord[] = []
  const insert = (record: GrantRecord) => {
    records.push(record)
    return store.insert(record)
  }
  const approval = { subject: 'user-12345', authTime: new Date(), label: 'Firefox on Linux' }
  await fixture({ store: { ...store, insert }, approval }).code({ nonce: randomId() })
  return records[0] as GrantRecord
}
