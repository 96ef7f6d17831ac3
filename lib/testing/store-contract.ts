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
   * Called for each test, which closes its store in the end. The stores may share a database, and it need not be
   * empty: all keys are random.
   */
  readonly createStore: () => TokenStore | Promise<TokenStore>
  /** `test` or `it` of your runner. */
  readonly test: (title: string, body: () => Promise<void>) => unknown
  /** `describe` of your runner, to group the tests. */
  readonly describe?: ((title: string, body: () => void) => unknown) | undefined
  /**
   * Seconds by which the store may be wrong about ages and expiry; 0.01 unless told. With 1, for a store that counts
   * in whole seconds, the suite takes the longer.
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
 * storeContract({ describe, test, createStore: () => new PostgresStore(pool) })
 */
export function storeContract(options: StoreContractOptions): void {
  const { createStore, test, describe = (_title, body) => body(), resolution = 0.01 } = options

  /** A short life, and a wait after which it is surely over. */
  const brief = Math.max(0.15, 3 * resolution)
  const outlive = () => delay((brief + 2 * resolution + 0.05) * 1000)

  function rule(title: string, check: (store: TokenStore) => Promise<void>): void {
    test(title, async () => {
      const store = await createStore()
      try {
        await check(store)
      } finally {
        await store.close()
      }
    })
  }

  describe('insert and find', () => {
    rule('keeps a new grant and gives it back exactly as it came', async (store) => {
      for (const text of ODD_TEXTS) {
        const grant = aGrant({ client: `client ${text}`, data: text, link: 7 })
        await store.insert(grant)
        const { age, idle, ...found } = await foundIn(store, grant)
        const { key, subject, client, data, link } = grant
        assert.deepEqual(found, { key, subject, client, data, link, superseded: [] })
      }
    })

    rule('a key that is already there stays as it is', async (store) => {
      const grant = aGrant({ data: 'first' })
      await store.insert(grant)
      await store.advance(grant.key, 0, aMove(1))
      await store.insert(grant)
      await store.insert({ ...grant, data: 'second', link: 5 })
      const found = await foundIn(store, grant)
      assert.equal(found.data, 'first')
      assert.equal(found.link, 1)
      assert.equal((await listAll(store, grant.subject)).length, 1)
    })

    rule('finds nothing that was never there', async (store) => {
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
        const grant = aGrant()
        await store.insert(grant)
        assert.equal(await store.advance(grant.key, 0, aMove(1)), true)
        assert.equal((await foundIn(store, grant)).link, 1)
        assert.equal(await store.advance(grant.key, 0, aMove(1)), false, 'from an earlier link')
        assert.equal(await store.advance(grant.key, 2, aMove(3)), false, 'from a later link')
        const found = await foundIn(store, grant)
        assert.equal(found.link, 1)
        assert.equal(found.superseded.length, 1)
        assert.equal(found.data, grant.data)
      },
    )

    rule('true too when this very move was the last one made, and makes it once', async (store) => {
      const grant = aGrant()
      await store.insert(grant)
      const first = aMove(1)
      assert.equal(await store.advance(grant.key, 0, first), true)
      assert.equal(await store.advance(grant.key, 0, first), true, 'the same move again')
      const found = await foundIn(store, grant)
      assert.equal(found.link, 1)
      assert.equal(found.superseded.length, 1)

      assert.equal(await store.advance(grant.key, 1, aMove(2)), true)
      assert.equal(await store.advance(grant.key, 0, first), false, 'when another move was made since')
      assert.equal((await foundIn(store, grant)).link, 2)
    })

    rule('each link passed is superseded now', async (store) => {
      const grant = aGrant()
      await store.insert(grant)
      assert.equal(await store.advance(grant.key, 0, aMove(1)), true)
      await delay(20 + 1000 * resolution)
      assert.equal(await store.advance(grant.key, 1, aMove(3)), true)
      const { link, superseded } = await foundIn(store, grant)
      assert.equal(link, 3)
      assert.equal(superseded.length, 3)
      assert.equal(superseded[0], superseded[1], 'two links passed at once')
      assert.ok(Number(superseded[2]) > Number(superseded[1]), 'one was passed before')
    })

    rule('from n to n, none is superseded', async (store) => {
      const grant = aGrant()
      await store.insert(grant)
      assert.equal(await store.advance(grant.key, 0, aMove(0)), true)
      assert.equal(await store.advance(grant.key, 0, aMove(1)), true)
      assert.equal(await store.advance(grant.key, 1, aMove(1)), true)
      const { link, superseded } = await foundIn(store, grant)
      assert.equal(link, 1)
      assert.equal(superseded.length, 1)
    })

    rule('remembers the last four links before the current one, newest first', async (store) => {
      const grant = aGrant()
      await store.insert(grant)
      const moments: number[] = []
      for (let link = 0; link < 6; link++) {
        assert.equal(await store.advance(grant.key, link, aMove(link + 1)), true)
        moments.unshift(performance.now())
        await delay(20 + 1000 * resolution)
      }
      const { superseded } = await foundIn(store, grant)
      assert.equal(superseded.length, 4)
      assert.deepEqual(
        superseded,
        superseded.toSorted((a, b) => a - b),
      )
      // Not the first four: the oldest that is remembered is the fourth from the end.
      assert.ok(Number(superseded[3]) <= secondsSince(Number(moments[4])) + resolution)

      const other = aGrant()
      await store.insert(other)
      assert.equal(await store.advance(other.key, 0, aMove(9)), true)
      assert.equal((await foundIn(store, other)).superseded.length, 4)
    })

    rule('of fifty callers that move from the same link to a later one, exactly one wins', async (store) => {
      const grant = aGrant()
      await store.insert(grant)
      for (let link = 0; link < 3; link++) {
        const won = await Promise.all(fifty(() => store.advance(grant.key, link, aMove(link + 1))))
        assert.equal(won.filter(Boolean).length, 1)
        const found = await foundIn(store, grant)
        assert.equal(found.link, link + 1)
        assert.equal(found.superseded.length, link + 1)
      }
    })

    rule('of fifty callers that stay at the same link, all win', async (store) => {
      const grant = aGrant()
      await store.insert(grant)
      const won = await Promise.all(fifty(() => store.advance(grant.key, 0, aMove(0))))
      assert.equal(won.filter(Boolean).length, 50)
      assert.deepEqual((await foundIn(store, grant)).superseded, [])
    })
  })

  describe('revoke', () => {
    rule('removes the grant, from the index as well; false when it was not there', async (store) => {
      const grant = aGrant()
      const sibling = aGrant({ subject: grant.subject })
      await store.insert(grant)
      await store.insert(sibling)
      assert.equal(await store.revoke(grant.key), true)
      assert.equal(await store.find(grant.key), undefined)
      assert.deepEqual(keysOf(await listAll(store, grant.subject)), [sibling.key])
      assert.equal(await store.revoke(grant.key), false)
      assert.equal(await store.revokeAll(grant.subject), 1)
    })

    rule('nothing brings it back', async (store) => {
      const grant = aGrant()
      await store.insert(grant)
      const move = aMove(1)
      await store.advance(grant.key, 0, move)
      await store.revoke(grant.key)
      assert.equal(await store.advance(grant.key, 1, aMove(2)), false)
      assert.equal(await store.advance(grant.key, 1, aMove(1)), false)
      assert.equal(await store.advance(grant.key, 0, move), false, 'not even the move made last')
      assert.equal(await store.find(grant.key), undefined)
    })

    rule('wins against moves that are made at the same time', async (store) => {
      for (let round = 0; round < 10; round++) {
        const grant = aGrant()
        await store.insert(grant)
        const moves = fifty(() => () => store.advance(grant.key, 0, aMove(round % 2)))
        const calls: (() => Promise<boolean>)[] = moves.toSpliced(5 * round, 0, () => store.revoke(grant.key))
        const answers = await Promise.all(calls.map((call) => call()))
        assert.equal(answers[5 * round], true, 'revoke')
        assert.equal(await store.find(grant.key), undefined)
        assert.deepEqual(await listAll(store, grant.subject), [])
      }
    })
  })

  describe('list and revokeAll', () => {
    rule('the live grants of a subject, and no others', async (store) => {
      const mine = [aGrant(), aGrant(), aGrant()].map((grant, _, [first]) =>
        ofSubject(grant, first as GrantRecord),
      )
      const neighbour = aGrant({ subject: `${partitionOf(mine[0] as GrantRecord)}.${randomId()}` })
      for (const grant of [...mine, inPartitionOf(neighbour)]) await store.insert(grant)
      const subject = (mine[0] as GrantRecord).subject
      await store.advance((mine[1] as GrantRecord).key, 0, aMove(4))
      const listed = await listAll(store, subject)
      assert.deepEqual(keysOf(listed), keysOf(mine))
      for (const grant of listed) {
        const { age, idle, superseded, ...said } = await foundIn(store, grant)
        assert.deepEqual(
          {
            key: grant.key,
            subject: grant.subject,
            client: grant.client,
            data: grant.data,
            link: grant.link,
          },
          said,
        )
      }
      assert.deepEqual(await store.list(aGrant().subject), { grants: [], next: undefined })
    })
  })
}
