// How a rule of the contract is written, and how it deals with time.
import type { TokenStore } from '../../stores/token-store'

export interface Rules {
  /**
   * One rule, in one test.
   * @param check Is given the store of another process as well: what holds in one process only is no compare-and-set.
   */
  rule(title: string, check: (store: TokenStore, other: TokenStore) => Promise<void>): void
  /** Seconds of a short life. */
  readonly brief: number
  /** Waits until it is surely over. */
  outlive(): Promise<void>
  /** Waits as long as every clock can tell from no time at all. */
  tick(): Promise<void>
  /** Of an age in seconds; `from` and `to` are milliseconds, as far as they were measured from outside. */
  assertBetween(age: number, from: number, to: number): void
}
