import { setTimeout as delay } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { memoryStore } from '../../lib/stores/memory'
import type { GrantRecord } from '../../lib/stores/token-store'
import { storeContract } from '../../lib/testing'
import { aSubject, randomId } from '../support/grants'
import { anOrdinaryGrant } from '../support/ordinary-grant'

describe('the contract', () => {
  storeContract({ describe, test, createStore: () => memoryStore(), shared: false })
})

describe('the contract, for a clock that counts in tenths of a second', () => {
  const now = () => Math.floor(performance.now() / 100) * 100
  storeContract({ describe, test, createStore: () => memoryStore({ now }), shared: false, resolution: 0.1 })
})

test('two stores share nothing', async () => {
  const [one, other] = [memoryStore(), memoryStore()]
  await one.insert(aGrant(1))
  await one.put('key', 'value', 60)
  expect(await other.find(aGrant(1).key)).toBeUndefined()
  expect(await other.get('key')).toBeUndefined()
})

test('a wall clock that is set neither ends a grant nor brings one back', async () => {
  jest.useFakeTimers({ doNotFake: ['performance'] })
  try {
    const store = memoryStore()
    await store.insert(aGrant(1))
    jest.setSystemTime(Date.now() + 10 * YEAR * 1000)
    expect(await store.find(aGrant(1).key)).toMatchObject({ age: expect.closeTo(0, 0) })
    jest.setSystemTime(0)
    expect(await store.find(aGrant(1).key)).toMatchObject({ age: expect.closeTo(0, 0) })
  } finally {
    jest.useRealTimers()
  }
})

test('ages and expiry follow the clock that is given, and no age is below zero', async () => {
  let time = 1000
  const store = memoryStore({ now: () => time })
  const { key } = aGrant(1)
  await store.insert({ ...aGrant(1), expiresIn: 60 })
  time += 20_000
  await store.advance(key, 0, { op: 'a', to: 1, expiresIn: 60 })
  time += 59_999
  expect(await store.find(key)).toMatchObject({ age: 79.999, idle: 59.999, superseded: [59.999] })
  time = 0
  expect(await store.find(key)).toMatchObject({ age: 0, idle: 0, superseded: [0] })
  time = 81_000
  expect(await store.find(key)).toBeUndefined()
})

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** Bytes in use, when nothing is left to collect: what was begun before ends while we wait. */
async function heap(): Promise<number> {
  for (let before = Number.POSITIVE_INFINITY; ; await delay(10)) {
    collectGarbage()
    const { heapUsed } = process.memoryUsage()
    if (heapUsed > before - 100_000) return heapUsed
    before = heapUsed
  }
}

test('an ordinary grant takes less than 2,000 bytes', async () => {
  const GRANTS = 50_000
  const store = memoryStore()
  const sample = await anOrdinaryGrant()
  // As a router makes it: a string of its own, for each grant and each member.
  const copy = (text: string) => Buffer.from(text).toString()
  const before = await heap()
  for (let i = 0; i < GRANTS; i++) {
    const subject = aSubject()
    const [client, data] = [copy(sample.client), copy(sample.data)]
    await store.insert({ ...sample, subject, key: `${subject.slice(0, 4)}.${randomId()}`, client, data })
  }
  const bytes = ((await heap()) - before) / GRANTS
  process.stdout.write(
    `Memory: ${Math.round(bytes)} bytes for a grant whose data has ${sample.data.length}, the only one of its user\n`,
  )
  expect(await store.find('0000.none')).toBeUndefined()
  expect(bytes).toBeGreaterThan(500)
  expect(bytes).toBeLessThan(2000)
})

test('what has expired is cleared away: memory is bounded by what is live', async () => {
  let time = 0
  const store = memoryStore({ now: () => time })
  // A kilobyte each that lasts a second, a thousand in a second: a million bytes are live, a hundred million were put.
  const before = await heap()
  for (let i = 0; i < 100_000; i++) {
    time += 1
    const data = String(i).padEnd(1000, '.')
    await store.insert({ ...aGrant(i), data, expiresIn: 1, endsIn: 1 })
    await store.put(`key ${i}`, data, 1)
  }
  expect((await heap()) - before).toBeLessThan(10_000_000)
})

const YEAR = 365 * 24 * 3600

function aGrant(number: number): GrantRecord {
  const id = String(number).padStart(22, '0')
  const [key, subject] = [`3fa9.${id}`, `3fa9.s${id.slice(1)}`]
  return { key, subject, client: 'client', data: 'data', link: 0, expiresIn: 30 * 24 * 3600, endsIn: YEAR }
}
