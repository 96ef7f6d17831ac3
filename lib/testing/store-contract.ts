// The contract that every store keeps: each rule of the interface in one test, with the sentence of its comment as title.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import {
  type GrantMove,
  type GrantRecord,
  MAX_GRANTS_PER_CLIENT,
  type StoredGrant,
  type TokenStore,
} from '../stores/token-store'

export interface StoreContractOptions {
  /**
   * Called twice for each test, which closes both stores in the end: two processes on the same data. The database need
   * not be empty: all keys are random.
   */
  readonly createStore: () => TokenStore | Promise<TokenStore>
  /**
   * Whether all that `createStore` makes are on the same data. Default: true. With false, for what lives in the memory
   * of one process, it is called once for each test, and no rule is tried between two processes.
   */
  readonly shared?: boolean | undefined
  /** `test` or `it` of your runner. */
  readonly test: (title: string, body: () => Promise<void>) => unknown
  /** `describe` of your runner, to group the tests. */
  readonly describe?: ((title: string, body: () => void) => unknown) | undefined
  /**
   * Seconds by which the store may be wrong about ages and expiry. Default: 0.01. A store that counts in whole
   * seconds says 1, and the tests take longer: up to ten seconds each.
   */
  readonly resolution?: number | undefined
}

/**
 * Registers the contract of {@link TokenStore} with a test runner: Jest, Vitest, Mocha, `node:test`.
 *
 * @example
 * import { describe, test } from 'node:test'
 * import { storeContract } from 'express-token-endpoint/testing'
 *
 * storeContract({ describe, test, createStore: () => postgresStore({ pool }) })
 */
export function storeContract(options: StoreContractOptions): void {
  const { createStore, shared = true, test, describe = (_title, body) => body(), resolution = 0.01 } = options

  /** A short life, a wait after which it is surely over, and a wait that every clock can tell from none. */
  const brief = Math.max(0.25, 3 * resolution)
  const outlive = () => delay(1000 * (brief + 2 * resolution + 0.05))
  const tick = () => delay(1000 * (2 * resolution + 0.01))

  /** @param check Is given the store of another process as well: what holds in one process only is no compare-and-set. */
  function rule(title: string, check: (store: TokenStore, other: TokenStore) => Promise<void>): void {
    test(title, async () => {
      const store = await createStore()
      try {
        if (!shared) return await check(store, store)
        const other = await createStore()
        try {
          await check(store, other)
        } finally {
          await other.close()
        }
      } finally {
        await store.close()
      }
    })
  }

  describe('insert and find', () => {
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
  })

  describe('advance', () => {
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
          const won = await Promise.all(
            fifty((i) => turn(i, store, other).advance(key, link, aMove(link + 1))),
          )
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
  })

  describe('revoke', () => {
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
  })

  describe('list', () => {
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

    rule(
      'a page begins where the one before ended, also when its grants were revoked since',
      async (store) => {
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
      },
    )

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
  })

  describe('revokeAll', () => {
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
  })

  describe('the cap', () => {
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
  })

  describe('expiry', () => {
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
      const { subject } = moved
      const kept = await inserted(store, { subject, expiresIn: brief })
      assert.equal(await store.advance(moved.key, 0, aMove(1, { expiresIn: 60 })), true)
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
      const grants = [
        await inserted(store, { expiresIn: brief, endsIn: brief }),
        await inserted(store, { expiresIn: 60, endsIn: brief }),
      ]
      for (const { key } of grants)
        assert.equal(await store.advance(key, 0, aMove(1, { expiresIn: 60 })), true)
      await outlive()
      for (const { key } of grants) assert.equal(await store.find(key), undefined)
    })

    rule('a refused move lets nothing live longer', async (store) => {
      const { key } = await inserted(store, { expiresIn: brief })
      assert.equal(await store.advance(key, 5, aMove(6, { expiresIn: 60 })), false)
      await outlive()
      assert.equal(await store.find(key), undefined)
    })
  })

  describe('ages', () => {
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
  })

  describe('put, get and take', () => {
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
      await store.put(kept, 'one', 60)
      assert.equal(await store.put(brieflyKept, 'one', 60), true)
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

    rule(
      'a short-lived key and a grant of the same name have nothing to do with each other',
      async (store) => {
        const { key, subject } = await inserted(store)
        for (const name of [key, subject]) {
          assert.equal(await store.get(name), undefined)
          assert.equal(await store.put(name, 'value', 60), true)
          assert.equal(await store.take(name), 'value')
        }
        assert.deepEqual(await keysOf(store, subject), [key])
      },
    )
  })

  /** `from` and `to` in milliseconds, as far as they were measured from outside. */
  function assertBetween(age: number, from: number, to: number): void {
    const [least, most] = [from / 1000 - resolution, to / 1000 + resolution]
    assert.ok(age >= 0 && age >= least && age <= most, `an age of ${age} s, not between ${least} and ${most}`)
  }
}

const ODD_TEXTS = [
  '',
  '0',
  ' leading and trailing ',
  'line\nbreak\r\n\ttab',
  'NUL\0inside',
  `"quotes' \\backslash %s {braces} [brackets]`,
  'Grüße 例え 🔑 e\u0301 \u2028',
  '{"json":["\\u0000",1.0,null,9007199254740993]}',
  'long '.repeat(4000),
]

/** What a database may take for the same by its collation, or by how much of a string it indexes. */
const ALMOST_ALIKE = ['e', 'E', 'e ', 'é', 'e\u0301', `${'e'.repeat(5000)}1`, `${'e'.repeat(5000)}2`]

/** 16 characters of base64url, as a hash is cut in the names of grants and subjects. */
function randomId(): string {
  return randomBytes(12).toString('base64url')
}

function aSubject(partition = randomBytes(2).toString('hex')): string {
  return `${partition}.${randomId()}`
}

function partitionOf(name: string): string {
  return name.slice(0, 4)
}

function aGrant(said: Partial<GrantRecord> = {}): GrantRecord {
  const subject = said.subject ?? aSubject()
  const key = `${partitionOf(subject)}.${randomId()}`
  return { key, subject, client: 'client', data: 'data', link: 0, expiresIn: 60, endsIn: 600, ...said }
}

function aMove(to: number, said: Partial<GrantMove> = {}): GrantMove {
  return { op: randomId(), to, expiresIn: 60, ...said }
}

async function inserted(store: TokenStore, said: Partial<GrantRecord> = {}): Promise<GrantRecord> {
  const grant = aGrant(said)
  await store.insert(grant)
  return grant
}

async function find(store: TokenStore, key: string): Promise<StoredGrant> {
  const found = await store.find(key)
  assert.ok(found, 'the grant is there')
  return found
}

async function listAll(store: TokenStore, subject: string, limit?: number): Promise<StoredGrant[]> {
  const grants: StoredGrant[] = []
  const places = new Set<string>()
  let page = await store.list(subject, limit === undefined ? {} : { limit })
  while (true) {
    assert.ok(page.grants.length <= (limit ?? 100), 'no more than the limit')
    grants.push(...page.grants)
    if (page.next === undefined) return grants
    assert.ok(!places.has(page.next), 'the pages come to an end')
    places.add(page.next)
    page = await store.list(subject, { ...(limit && { limit }), after: page.next })
  }
}

async function keysOf(store: TokenStore, subject: string, limit?: number): Promise<string[]> {
  return (await listAll(store, subject, limit)).map(({ key }) => key).sort()
}

/** What was written at insert. */
function written({ key, subject, client, data, link }: StoredGrant | GrantRecord) {
  return { key, subject, client, data, link }
}

function byKey(a: { key: string }, b: { key: string }): number {
  return a.key < b.key ? -1 : 1
}

function fifty<T>(make: (i: number) => T): T[] {
  return Array.from({ length: 50 }, (_, i) => make(i))
}

/** One process, then the other. */
function turn(i: number, store: TokenStore, other: TokenStore): TokenStore {
  return i % 2 === 0 ? store : other
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
