// A grant in the store: it is there as it was written, until it is revoked, and nothing brings it back.
import assert from 'node:assert/strict'
import {
  ALMOST_ALIKE,
  aGrant,
  aMove,
  aSubject,
  fifty,
  find,
  inserted,
  keysOf,
  listAll,
  ODD_TEXTS,
  randomId,
  turn,
  written,
} from './records'
import type { Rules } from './rules'

export function insertAndFind({ rule }: Rules): void {
  rule('keeps a new grant and gives it back exactly as it came', async (store) => {
    for (const text of ODD_TEXTS) {
      const grant = await inserted(store, { client: `client ${text}`, data: text, link: 7 })
      const found = await find(store, grant.key)
      assert.deepEqual(written(found), written(grant))
      assert.deepEqual(found.superseded, [])
    }
  })

  rule(
    'strings are the same only if they are alike in case, accents, spaces and to the end',
    async (store) => {
      const id = randomId().slice(1)
      const grants = [
        aGrant({ key: `a0a0.k${id}`, subject: `a0a0.s${id}`, data: 'small' }),
        aGrant({ key: `a0a0.K${id}`, subject: `a0a0.S${id}`, data: 'capital' }),
      ]
      for (const grant of grants) await store.insert(grant)
      for (const { key, subject, data } of grants) {
        assert.equal((await find(store, key)).data, data)
        assert.deepEqual(await keysOf(store, subject), [key])
      }

      const subject = aSubject()
      for (const client of ALMOST_ALIKE) await inserted(store, { subject, client })
      for (const client of ALMOST_ALIKE)
        assert.equal(await store.revokeAll(subject, { client }), 1, client.slice(0, 9))

      const names = ALMOST_ALIKE.map((text) => id + text)
      for (const name of names) assert.equal(await store.put(name, name, 60), true, name.slice(0, 30))
      for (const name of names) assert.equal(await store.get(name), name)
      for (const value of ALMOST_ALIKE) {
        const same = await store.put(id, value, 60)
        assert.equal(same, value === ALMOST_ALIKE[0], value.slice(0, 9))
      }
    },
  )

  rule('a key that is already there stays as it is', async (store) => {
    const grant = aGrant({ data: 'first' })
    await store.insert(grant)
    await store.advance(grant.key, 0, aMove(1))
    await store.insert(grant)
    await store.insert({ ...grant, data: 'second', link: 5 })
    const { data, link } = await find(store, grant.key)
    assert.deepEqual({ data, link }, { data: 'first', link: 1 })
    assert.deepEqual(await keysOf(store, grant.subject), [grant.key])
  })

  rule('of many callers that insert a key, the first stays', async (store, other) => {
    const grant = aGrant()
    const inserts = fifty((i) => turn(i, store, other).insert({ ...grant, data: `data ${i}` }))
    await Promise.race(inserts)
    const { data } = await find(store, grant.key)
    assert.equal(await store.advance(grant.key, 0, aMove(1)), true)
    await Promise.all(inserts)
    const found = await find(store, grant.key)
    assert.deepEqual({ data: found.data, link: found.link }, { data, link: 1 })
    assert.deepEqual(await keysOf(store, grant.subject), [grant.key])
  })

  rule('what one process has done, another sees at once', async (store, other) => {
    const { key, subject } = await inserted(store)
    assert.equal((await find(other, key)).link, 0)
    assert.deepEqual(await keysOf(other, subject), [key])
    await store.advance(key, 0, aMove(1))
    assert.equal((await find(other, key)).link, 1)
    assert.equal((await listAll(other, subject))[0]?.link, 1)
    await store.revoke(key)
    assert.equal(await other.find(key), undefined)
    assert.deepEqual(await keysOf(other, subject), [])

    const name = randomId()
    assert.equal(await other.get(name), undefined)
    await store.put(name, 'value', 60)
    assert.equal(await other.get(name), 'value')
    await store.take(name)
    assert.equal(await other.get(name), undefined)
  })

  rule('what was never there is not found, moved or revoked', async (store) => {
    const { key } = aGrant()
    assert.equal(await store.find(key), undefined)
    assert.equal(await store.advance(key, 0, aMove(1)), false)
    assert.equal(await store.revoke(key), false)
    assert.equal(await store.find(key), undefined)
  })
}

export function revoke({ rule }: Rules): void {
  rule('removes the grant, from the index as well; false when it was not there', async (store) => {
    const grant = await inserted(store)
    const sibling = await inserted(store, { subject: grant.subject })
    assert.equal(await store.revoke(grant.key), true)
    assert.equal(await store.find(grant.key), undefined)
    assert.deepEqual(await keysOf(store, grant.subject), [sibling.key])
    assert.equal(await store.revoke(grant.key), false)
    assert.equal(await store.revokeAll(grant.subject), 1)
  })

  rule('nothing brings it back', async (store) => {
    const { key, subject } = await inserted(store)
    const move = aMove(1)
    await store.advance(key, 0, move)
    await store.revoke(key)
    assert.equal(await store.advance(key, 0, move), false, 'the move that was made last')
    assert.equal(await store.advance(key, 1, aMove(1)), false)
    assert.equal(await store.advance(key, 1, aMove(2)), false)
    assert.equal(await store.find(key), undefined)
    assert.deepEqual(await keysOf(store, subject), [])
  })

  rule('of many callers that revoke, one is told true', async (store, other) => {
    const { key } = await inserted(store)
    const revoked = await Promise.all(fifty((i) => turn(i, store, other).revoke(key)))
    assert.equal(revoked.filter(Boolean).length, 1)
    assert.equal(await store.find(key), undefined)
  })

  rule('wins against moves that are made at the same time', async (store, other) => {
    for (const place of [0, 10, 25, 40, 50]) {
      const { key, subject } = await inserted(store)
      const calls = fifty((i) => () => turn(i, store, other).advance(key, 0, aMove(i % 2)))
      calls.splice(place, 0, () => store.revoke(key))
      const answers = await Promise.all(calls.map((call) => call()))
      assert.equal(answers[place], true)
      assert.equal(await store.find(key), undefined)
      assert.deepEqual(await keysOf(store, subject), [])
    }
  })
}
