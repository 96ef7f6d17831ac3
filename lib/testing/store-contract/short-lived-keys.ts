// Short-lived keys: put once, read, and taken once.
import assert from 'node:assert/strict'
import { fifty, inserted, keysOf, ODD_TEXTS, randomId, turn } from './records'
import type { Rules } from './rules'

export function putGetAndTake({ rule, brief, outlive }: Rules): void {
  rule('what was put is there, and take gets and deletes it', async (store) => {
    for (const text of ODD_TEXTS) {
      const key = `key ${text} ${randomId()}`
      assert.equal(await store.put(key, text, 60), true)
      assert.equal(await store.get(key), text)
      assert.equal(await store.take(key), text)
      assert.equal(await store.get(key), undefined)
      assert.equal(await store.take(key), undefined)
    }
  })

  rule('put is false, and changes nothing, when the key holds another value', async (store) => {
    const key = randomId()
    await store.put(key, 'one', 60)
    assert.equal(await store.put(key, 'two', 60), false)
    assert.equal(await store.get(key), 'one')
    assert.equal(await store.put(key, 'one', 60), true, 'the same value again')
    await store.take(key)
    assert.equal(await store.put(key, 'two', 60), true, 'after it was taken')
  })

  rule('a key lasts for `ttl` seconds, and can be put again', async (store) => {
    const [key, taken, kept] = [randomId(), randomId(), randomId()]
    await store.put(key, 'one', brief)
    await store.put(taken, 'one', brief)
    await store.put(kept, 'one', 60)
    assert.equal(await store.put(kept, 'two', brief), false)
    await outlive()
    assert.equal(await store.get(key), undefined)
    assert.equal(await store.take(taken), undefined)
    assert.equal(await store.get(kept), 'one')
    assert.equal(await store.put(key, 'two', 60), true)
    assert.equal(await store.get(key), 'two')
  })

  rule('put of the same value changes nothing, not even how long the key lasts', async (store) => {
    const [brieflyKept, kept] = [randomId(), randomId()]
    await store.put(brieflyKept, 'one', brief)
    assert.equal(await store.put(brieflyKept, 'one', 60), true)
    await store.put(kept, 'one', 60)
    assert.equal(await store.put(kept, 'one', brief), true)
    await outlive()
    assert.equal(await store.get(brieflyKept), undefined)
    assert.equal(await store.get(kept), 'one')
  })

  rule('of many callers that take, one gets the value', async (store, other) => {
    const key = randomId()
    await store.put(key, 'value', 60)
    const taken = await Promise.all(fifty((i) => turn(i, store, other).take(key)))
    assert.deepEqual(
      taken.filter((value) => value !== undefined),
      ['value'],
    )
  })

  rule('of many callers that put different values, one succeeds', async (store, other) => {
    const key = randomId()
    const put = await Promise.all(fifty((i) => turn(i, store, other).put(key, `value ${i}`, 60)))
    assert.equal(put.filter(Boolean).length, 1)
    assert.equal(await store.get(key), `value ${put.indexOf(true)}`)
  })

  rule('of many callers that put on an expired key, one succeeds', async (store, other) => {
    const keys = [randomId(), randomId(), randomId(), randomId(), randomId()]
    for (const key of keys) await store.put(key, 'old', brief)
    await outlive()
    for (const key of keys) {
      const put = await Promise.all(fifty((i) => turn(i, store, other).put(key, `value ${i}`, 60)))
      assert.equal(put.filter(Boolean).length, 1)
      assert.equal(await store.get(key), `value ${put.indexOf(true)}`)
    }
  })

  rule('a short-lived key and a grant of the same name have nothing to do with each other', async (store) => {
    const { key, subject } = await inserted(store)
    for (const name of [key, subject]) {
      assert.equal(await store.get(name), undefined)
      assert.equal(await store.put(name, 'value', 60), true)
      assert.equal(await store.take(name), 'value')
    }
    assert.deepEqual(await keysOf(store, subject), [key])
  })
}
