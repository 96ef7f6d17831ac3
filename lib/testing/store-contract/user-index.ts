// The grants of one user: listed page by page, ended all at once, and never more than a few for each client.
import assert from 'node:assert/strict'
import { type GrantRecord, MAX_GRANTS_PER_CLIENT, type StoredGrant } from '../../stores/token-store'
import {
  aMove,
  aSubject,
  fifty,
  find,
  inserted,
  keysOf,
  listAll,
  partitionOf,
  turn,
  written,
} from './records'
import type { Rules } from './rules'

export function list({ rule, tick, assertBetween }: Rules): void {
  rule('the live grants of a subject, and of no other', async (store) => {
    const subject = aSubject()
    const grants = [
      await inserted(store, { subject }),
      await inserted(store, { subject, link: 3, client: 'other' }),
    ]
    await inserted(store, { subject: aSubject(partitionOf(subject)) })
    await inserted(store)
    const listed = await listAll(store, subject)
    assert.deepEqual(listed.map(written).sort(byKey), grants.map(written).sort(byKey))
    assert.deepEqual(await store.list(aSubject(partitionOf(subject))), { grants: [], next: undefined })
  })

  rule('in pages of at most the limit, each grant once', async (store) => {
    const subject = aSubject()
    // Some that end together and some that do not: whatever the order of a store is, no page skips or repeats one.
    const grants = await Promise.all(
      Array.from({ length: 11 }, (_, i) => inserted(store, { subject, endsIn: 600 + Math.floor(i / 4) })),
    )
    for (const limit of [1, 3, 11, 12]) {
      assert.deepEqual(await keysOf(store, subject, limit), grants.map(({ key }) => key).sort())
    }
  })

  rule('a page begins where the one before ended, also when its grants were revoked since', async (store) => {
    const subject = aSubject()
    for (let i = 0; i < 7; i++) await inserted(store, { subject })
    let count = 0
    let page = await store.list(subject, { limit: 2 })
    while (true) {
      for (const { key } of page.grants) if (await store.revoke(key)) count++
      if (page.next === undefined) break
      page = await store.list(subject, { limit: 2, after: page.next })
    }
    assert.equal(count, 7)
  })

  rule('after what is no `next` of a page there are no grants', async (store) => {
    const { subject } = await inserted(store)
    for (const after of ['', 'x', '-1', '1x', ' ', '0.', '-1.x', "0' OR ''='", '\0', 'é', '9'.repeat(40)]) {
      assert.deepEqual(await store.list(subject, { after }), { grants: [], next: undefined }, after)
    }
  })

  rule('a listed grant says the same as one that is found', async (store) => {
    const { key, subject } = await inserted(store)
    await tick()
    await store.advance(key, 0, aMove(1))
    await tick()
    await store.advance(key, 1, aMove(2))
    await tick()
    const asked = performance.now()
    const found = await find(store, key)
    const [listed] = await listAll(store, subject)
    assert.ok(listed, 'the grant is listed')
    const passed = performance.now() - asked
    assert.deepEqual(written(listed), written(found))
    assert.equal(listed.superseded.length, 2)
    const ages = ({ age, idle, superseded }: StoredGrant) => [age, idle, ...superseded]
    for (const [i, age] of ages(found).entries())
      assertBetween(Number(ages(listed)[i]), 1000 * age, 1000 * age + passed)
  })

  rule('100 grants at most by default', async (store) => {
    const subject = aSubject()
    await Promise.all(
      Array.from({ length: 110 }, (_, i) => inserted(store, { subject, client: `client ${i % 2}` })),
    )
    const { grants, next } = await store.list(subject)
    assert.ok(grants.length <= 100)
    assert.notEqual(next, undefined)
    assert.equal((await keysOf(store, subject)).length, 110)
    assert.equal((await keysOf(store, subject, 1000)).length, 110, 'by a greater limit')
  })
}

export function revokeAll({ rule }: Rules): void {
  rule('removes the live grants of a subject and says how many there were', async (store) => {
    const subject = aSubject()
    const grants = await Promise.all(fifty((i) => inserted(store, { subject, client: `client ${i}` })))
    const other = await inserted(store, { subject: aSubject(partitionOf(subject)) })
    assert.equal(await store.revokeAll(subject), 50)
    for (const { key } of grants) assert.equal(await store.find(key), undefined)
    assert.deepEqual(await keysOf(store, subject), [])
    assert.equal(await store.revokeAll(subject), 0)
    await find(store, other.key)
  })

  rule('removes all, be they more than a page holds', async (store) => {
    const subject = aSubject()
    const kept = await inserted(store, { subject: aSubject(partitionOf(subject)), client: 'client 0' })
    const insert110 = () =>
      Promise.all(
        Array.from({ length: 110 }, (_, i) => inserted(store, { subject, client: `client ${i % 2}` })),
      )
    await insert110()
    assert.equal(await store.revokeAll(subject, { client: 'client 0' }), 55)
    assert.equal(await store.revokeAll(subject, { client: 'client 1' }), 55)
    await insert110()
    assert.equal(await store.revokeAll(subject), 110)
    assert.deepEqual(await keysOf(store, subject), [])
    await find(store, kept.key)
  })

  rule('removes also what is moved at the same time', async (store, other) => {
    for (const place of [0, 10, 25, 40, 50]) {
      const { key, subject } = await inserted(store)
      const calls: (() => Promise<unknown>)[] = fifty(
        (i) => () => turn(i, store, other).advance(key, 0, aMove(i % 2)),
      )
      calls.splice(place, 0, () => store.revokeAll(subject))
      const answers = await Promise.all(calls.map((call) => call()))
      assert.equal(answers[place], 1)
      assert.equal(await store.find(key), undefined)
      assert.deepEqual(await keysOf(store, subject), [])
    }
  })

  rule('with a filter, only the grants for this client', async (store) => {
    const subject = aSubject()
    const gone = [
      await inserted(store, { subject, client: 'a' }),
      await inserted(store, { subject, client: 'a' }),
    ]
    const kept = await inserted(store, { subject, client: 'b' })
    assert.equal(await store.revokeAll(subject, { client: 'a' }), 2)
    for (const { key } of gone) assert.equal(await store.find(key), undefined)
    assert.deepEqual(await keysOf(store, subject), [kept.key])
    assert.equal(await store.revokeAll(subject, { client: 'nobody' }), 0)
  })
}

export function theCap({ rule, tick }: Rules): void {
  rule('above 100 grants of one subject for one client the oldest goes, and no other', async (store) => {
    const subject = aSubject()
    // The oldest does not end first: it goes for its age.
    const oldest = await inserted(store, { subject, endsIn: 900 })
    const elsewhere = await inserted(store, { subject, client: 'another client' })
    const foreign = await inserted(store, { subject: aSubject(partitionOf(subject)) })
    await tick()
    const rest = [elsewhere]
    for (let i = 1; i < MAX_GRANTS_PER_CLIENT; i++) rest.push(await inserted(store, { subject }))
    await find(store, oldest.key)
    rest.push(await inserted(store, { subject }))

    assert.equal(await store.find(oldest.key), undefined)
    assert.deepEqual(await keysOf(store, subject), rest.map(({ key }) => key).sort())
    await find(store, foreign.key)
  })

  rule('a grant that has left link 0 stays while one at link 0 can go', async (store) => {
    const subject = aSubject()
    const inUse = await inserted(store, { subject })
    await store.advance(inUse.key, 0, aMove(1))
    await tick()
    const begun = await inserted(store, { subject })
    await tick()
    for (let i = 1; i < MAX_GRANTS_PER_CLIENT; i++) await inserted(store, { subject })

    await find(store, inUse.key)
    assert.equal(await store.find(begun.key), undefined)
  })

  rule('where no grant is at link 0 the oldest goes, and never the new one', async (store) => {
    const subject = aSubject()
    const oldest = await inserted(store, { subject, link: 1 })
    await tick()
    for (let i = 1; i < MAX_GRANTS_PER_CLIENT; i++) await inserted(store, { subject, link: 1 })
    const newest = await inserted(store, { subject })

    await find(store, newest.key)
    assert.equal(await store.find(oldest.key), undefined)
  })

  rule('many that come at once end one in use at most, and not all of each other', async (store, other) => {
    const subject = aSubject()
    const inUse: GrantRecord[] = []
    while (inUse.length < MAX_GRANTS_PER_CLIENT) inUse.push(await inserted(store, { subject, link: 1 }))
    const begun = await Promise.all(fifty((i) => inserted(turn(i, store, other), { subject })))
    const kept = new Set(await keysOf(store, subject))
    const countOf = (grants: readonly GrantRecord[]) => grants.filter(({ key }) => kept.has(key)).length
    assert.ok(countOf(inUse) >= MAX_GRANTS_PER_CLIENT - 1, `${countOf(inUse)} in use stay`)
    assert.ok(countOf(begun) >= 1, 'one of the new ones stays')
  })
}

function byKey(a: { key: string }, b: { key: string }): number {
  return a.key < b.key ? -1 : 1
}
