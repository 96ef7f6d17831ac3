// The contract that every store keeps: each rule of the interface in one test, with the sentence of its comment as title.
// The rules are in the other files of this folder, a topic in each.
import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import type { TokenStore } from '../../stores/token-store'
import { advance } from './chain'
import { insertAndFind, revoke } from './grants'
import type { Rules } from './rules'
import { putGetAndTake } from './short-lived-keys'
import { ages, expiry } from './time'
import { list, revokeAll, theCap } from './user-index'

const GROUPS: Readonly<Record<string, (rules: Rules) => void>> = {
  'insert and find': insertAndFind,
  advance,
  revoke,
  list,
  revokeAll,
  'the cap': theCap,
  expiry,
  ages,
  'put, get and take': putGetAndTake,
}

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

  const brief = Math.max(0.25, 3 * resolution)

  const rules: Rules = {
    rule(title, check) {
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
    },
    brief,
    outlive: () => delay(1000 * (brief + 2 * resolution + 0.05)),
    tick: () => delay(1000 * (2 * resolution + 0.01)),
    assertBetween(age, from, to) {
      const [least, most] = [from / 1000 - resolution, to / 1000 + resolution]
      assert.ok(
        age >= 0 && age >= least && age <= most,
        `an age of ${age} s, not between ${least} and ${most}`,
      )
    },
  }
  for (const [title, register] of Object.entries(GROUPS)) describe(title, () => register(rules))
}
