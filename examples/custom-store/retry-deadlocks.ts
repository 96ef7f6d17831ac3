// Of statements that wait for each other, MariaDB ends one: it has done nothing, and its call begins anew.
import type { TokenStore } from 'express-token-endpoint'

const ATTEMPTS = 10

export function retryDeadlocks(store: TokenStore): TokenStore {
  async function attempt(call: () => unknown, left: number): Promise<unknown> {
    try {
      return await call()
    } catch (error) {
      if (left === 0 || (error as { code?: string }).code !== 'ER_LOCK_DEADLOCK') throw error
      return attempt(call, left - 1)
    }
  }
  const methods = Object.entries(store).map(([name, method]) => [
    name,
    (...given: unknown[]) => attempt(() => method(...given), ATTEMPTS),
  ])
  return Object.fromEntries(methods)
}
