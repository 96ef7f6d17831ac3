// The chain of a grant: of all who move it from one link, one wins; and what is remembered of the links that were left.
import assert from 'node:assert/strict'
import { aMove, fifty, find, inserted, turn } from './records'
import type { Rules } from './rules'

export function advance({ rule, tick, assertBetween }: Rules): void {
  rule(
    'moves the grant from link `from`, if that is still its link, and says whether it did',
    async (store) => {
      const { key, data } = await inserted(store)
      assert.equal(await store.advance(key, 0, aMove(1)), true)
      assert.equal(await store.advance(key, 0, aMove(1)), false, 'from an earlier link')
      assert.equal(await store.advance(key, 2, aMove(3)), false, 'from a later link')
      assert.equal(await store.advance(key, 0, aMove(0)), false, 'to stay at an earlier link')
      assert.equal(await store.advance(key, 2, aMove(2)), false, 'to stay at a later link')
      const found = await find(store, key)
      assert.equal(found.link, 1)
      assert.equal(found.superseded.length, 1)
      assert.equal(found.data, data)
    },
  )

  rule('true also if this very move was the last one made; it is made once', async (store) => {
    const { key } = await inserted(store)
    const move = aMove(1)
    assert.equal(await store.advance(key, 0, move), true)
    assert.equal(await store.advance(key, 0, move), true, 'the same move again')
    const found = await find(store, key)
    assert.equal(found.link, 1)
    assert.equal(found.superseded.length, 1)

    assert.equal(await store.advance(key, 1, aMove(2)), true)
    assert.equal(await store.advance(key, 0, move), false, 'when another move was made since')
    assert.equal((await find(store, key)).link, 2)
  })

  rule('false if `to` < `from`: a chain never goes back', async (store) => {
    const { key } = await inserted(store, { link: 3 })
    for (const to of [2, 0]) assert.equal(await store.advance(key, 3, aMove(to)), false)
    const { link, superseded } = await find(store, key)
    assert.equal(link, 3)
    assert.deepEqual(superseded, [])
    assert.equal(await store.advance(key, 3, aMove(4)), true)
  })

  rule('each link passed is superseded now', async (store) => {
    const { key } = await inserted(store)
    await store.advance(key, 0, aMove(1))
    await tick()
    assert.equal(await store.advance(key, 1, aMove(3)), true)
    const { link, superseded } = await find(store, key)
    assert.equal(link, 3)
    assert.equal(superseded.length, 3)
    const [newest, second, oldest] = superseded as [number, number, number]
    assert.equal(newest, second, 'the two links that were passed at once')
    assert.ok(oldest > second, 'the link that was passed before')
  })

  rule('from n to n, none is superseded', async (store) => {
    const { key } = await inserted(store)
    assert.equal(await store.advance(key, 0, aMove(0)), true)
    assert.equal(await store.advance(key, 0, aMove(1)), true)
    assert.equal(await store.advance(key, 1, aMove(1)), true)
    const { link, superseded } = await find(store, key)
    assert.equal(link, 1)
    assert.equal(superseded.length, 1)
  })

  rule('remembers when the last four links were superseded, newest first', async (store) => {
    const { key } = await inserted(store)
    const before: number[] = []
    const after: number[] = []
    for (let link = 0; link < 6; link++) {
      before.unshift(performance.now())
      await store.advance(key, link, aMove(link + 1))
      after.unshift(performance.now())
      await tick()
    }
    const asked = performance.now()
    const { superseded } = await find(store, key)
    assert.equal(superseded.length, 4)
    for (const [i, age] of superseded.entries()) {
      assertBetween(age, asked - Number(after[i]), performance.now() - Number(before[i]))
    }

    const hasty = await inserted(store)
    await store.advance(hasty.key, 0, aMove(70_000))
    const { link, superseded: ages } = await find(store, hasty.key)
    assert.equal(link, 70_000)
    assert.equal(ages.length, 4)
  })

  rule(
    'of many callers that move from the same link to a later one, exactly one wins',
    async (store, other) => {
      const { key } = await inserted(store)
      for (let link = 0; link < 3; link++) {
        const won = await Promise.all(fifty((i) => turn(i, store, other).advance(key, link, aMove(link + 1))))
        assert.equal(won.filter(Boolean).length, 1)
        const found = await find(store, key)
        assert.equal(found.link, link + 1)
        assert.equal(found.superseded.length, link + 1)
      }
    },
  )

  rule('of many callers that stay at the same link, all win', async (store, other) => {
    const { key } = await inserted(store)
    const won = await Promise.all(fifty((i) => turn(i, store, other).advance(key, 0, aMove(0))))
    assert.equal(won.filter(Boolean).length, 50)
    assert.deepEqual((await find(store, key)).superseded, [])
  })
}
