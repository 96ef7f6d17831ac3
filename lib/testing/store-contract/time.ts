// How long a grant lives, and how old it is: by the clock of the store.
import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import type { GrantRecord } from '../../stores/token-store'
import { aGrant, aMove, find, inserted, keysOf, randomId } from './records'
import type { Rules } from './rules'

export function expiry({ rule, brief, outlive, tick }: Rules): void {
  rule('a grant expires after `expiresIn`, if no move lets it live longer', async (store) => {
    const { key, subject } = await inserted(store, { expiresIn: brief })
    await inserted(store, { subject, expiresIn: brief })
    const kept = await inserted(store, { subject })
    await outlive()
    assert.equal(await store.find(key), undefined)
    assert.equal(await store.advance(key, 0, aMove(0)), false)
    assert.equal(await store.advance(key, 0, aMove(1)), false)
    assert.deepEqual(await keysOf(store, subject), [kept.key])
    assert.equal(await store.revoke(key), false)
    assert.equal(await store.revokeAll(subject), 1)
  })

  rule('one that outlives others of its subject stays in the index', async (store) => {
    const kept = await inserted(store)
    const { subject } = kept
    const gone = await inserted(store, { subject, expiresIn: brief, endsIn: brief })
    await store.advance(gone.key, 0, aMove(1, { expiresIn: brief }))
    await outlive()
    assert.deepEqual(await keysOf(store, subject), [kept.key])
    assert.equal(await store.revokeAll(subject), 1)
    assert.equal(await store.find(kept.key), undefined)
  })

  rule('what may live for 90 days, or for 100 years, is not gone at once', async (store) => {
    const [days, years] = [90 * 86_400, 100 * 365 * 86_400]
    const grants = [
      await inserted(store, { expiresIn: days, endsIn: days }),
      await inserted(store, { expiresIn: days, endsIn: years }),
      await inserted(store, { expiresIn: years, endsIn: years }),
    ]
    const name = randomId()
    assert.equal(await store.put(name, 'value', days), true)
    await tick()
    for (const { key } of grants) {
      assert.equal(await store.advance(key, 0, aMove(1, { expiresIn: years })), true)
      await tick()
      await find(store, key)
    }
    assert.equal(await store.get(name), 'value')
  })

  rule('after a move it lives for the `expiresIn` of the move at least', async (store) => {
    const moved = await inserted(store, { expiresIn: brief })
    assert.equal(await store.advance(moved.key, 0, aMove(1, { expiresIn: 60 })), true)
    const { subject } = moved
    const kept = await inserted(store, { subject, expiresIn: brief })
    assert.equal(await store.advance(kept.key, 0, aMove(0, { expiresIn: 60 })), true)
    await outlive()
    await find(store, moved.key)
    await find(store, kept.key)
    assert.equal(await store.advance(moved.key, 1, aMove(2)), true)
    assert.deepEqual(await keysOf(store, subject), [moved.key, kept.key].sort())
    assert.equal(await store.revokeAll(subject), 2)
  })

  rule('expiry only grows', async (store) => {
    const { key } = await inserted(store, { expiresIn: 60 })
    assert.equal(await store.advance(key, 0, aMove(1, { expiresIn: brief })), true)
    await outlive()
    await find(store, key)
  })

  rule('it expires after `endsIn`, whatever moves are made', async (store) => {
    const grants: GrantRecord[] = []
    for (const expiresIn of [brief, 60]) {
      const grant = await inserted(store, { expiresIn, endsIn: brief })
      assert.equal(await store.advance(grant.key, 0, aMove(1, { expiresIn: 60 })), true)
      grants.push(grant)
    }
    await outlive()
    for (const { key } of grants) assert.equal(await store.find(key), undefined)
  })

  rule('a refused move lets nothing live longer', async (store) => {
    const { key } = await inserted(store, { expiresIn: brief })
    assert.equal(await store.advance(key, 5, aMove(6, { expiresIn: 60 })), false)
    await outlive()
    assert.equal(await store.find(key), undefined)
  })
}

export function ages({ rule, tick, assertBetween }: Rules): void {
  rule('are seconds since the insert, the last move and each superseding', async (store) => {
    const start = performance.now()
    const { key } = await inserted(store)
    const insertedAt = performance.now()
    await delay(100)
    const moving = performance.now()
    await store.advance(key, 0, aMove(1))
    const movedAt = performance.now()
    await delay(100)
    const staying = performance.now()
    await store.advance(key, 1, aMove(1))
    const stayedAt = performance.now()
    await delay(50)

    const asked = performance.now()
    const { age, idle, superseded } = await find(store, key)
    const answered = performance.now()
    assertBetween(age, asked - insertedAt, answered - start)
    assertBetween(idle, asked - stayedAt, answered - staying)
    assertBetween(Number(superseded[0]), asked - movedAt, answered - moving)
  })

  rule('before the first move, idle is as long as the age', async (store) => {
    const { key } = await inserted(store)
    await tick()
    const { age, idle } = await find(store, key)
    assert.equal(idle, age)
  })

  rule('and expiry are by the clock of the store: app servers may disagree on the time', async (store) => {
    const [slow, right, fast] = [aGrant(), aGrant(), aGrant()]
    await withClock(-120, () => store.insert(slow))
    await store.insert(right)
    await withClock(120, () => store.insert(fast))

    for (const { key } of [slow, right, fast]) {
      for (const offBy of [-120, 0, 120]) {
        const { age, idle } = await withClock(offBy, () => find(store, key))
        assert.ok(age < 30 && idle < 30, `an age of ${age} s by an app server that is off by ${offBy} s`)
      }
    }
    assert.equal(await withClock(120, () => store.advance(right.key, 0, aMove(1))), true)
    const { idle, superseded } = await find(store, right.key)
    assert.ok(idle < 30 && Number(superseded[0]) < 30)
  })
}

/** Puts the clock of this process wrong, as that of an app server may be, while something is done. */
async function withClock<T>(offBy: number, action: () => Promise<T>): Promise<T> {
  const RightDate = globalThis.Date
  const now = () => RightDate.now() + offBy * 1000
  globalThis.Date = new Proxy(RightDate, {
    get: (target, name) => (name === 'now' ? now : Reflect.get(target, name)),
    construct: (target, args, type) => Reflect.construct(target, args.length === 0 ? [now()] : args, type),
  })
  try {
    return await action()
  } finally {
    globalThis.Date = RightDate
  }
}
