// A limit in front of the endpoints, with the stores of express-rate-limit. It counts failures, not successes: a busy client is no attacker.
import type { IncomingMessage } from 'node:http'
import { ipKeyGenerator, MemoryStore, type Options, type Store } from 'express-rate-limit'
import { withDeadline } from '../deadline'
import { ConfigError, OAuthError } from '../errors'
import type { OnEvent } from '../events'

/** Limits on failed requests. Successes never count. */
export interface RateLimitOptions {
  /** How long failures are remembered. Default: 60. */
  readonly windowSeconds?: number
  /** Failures in that time after which an address has to wait. Default: 120. One IPv6 /56 is one address. */
  readonly failuresPerAddress?: number
  /** The same for one client at one address. Default: 30. */
  readonly failuresPerClient?: number
  /** Makes a store of express-rate-limit for each of the two limits. Default: its memory store. */
  readonly store?: (limit: 'address' | 'client') => Store
}

/** Lets a request pass or refuses it, and learns how it ended. */
export interface FailureLimiter {
  /** @throws {OAuthError} 429 with `Retry-After`: never 401, which would tell a client that its secret is wrong. */
  check(network: string, clientId?: string): Promise<void>
  countFailure(network: string, clientId?: string): void
  close(): void
}

export interface RateLimits {
  readonly byAddress: FailureLimiter
  readonly byClient: FailureLimiter
}

/** A request asks three times at most. With the time that it has for the store of the grants, it is answered within 1.5 s. */
const TIMEOUT_SECONDS = 0.1

/** A store that has failed is left alone for so long: nobody waits for it again, and nothing piles up in front of it. */
const PAUSE_SECONDS = 1

const UNLIMITED: FailureLimiter = { check: async () => {}, countFailure: () => {}, close: () => {} }

export function createRateLimits(options: RateLimitOptions | false | undefined, emit: OnEvent): RateLimits {
  if (options === false) return { byAddress: UNLIMITED, byClient: UNLIMITED }
  const {
    windowSeconds = 60,
    failuresPerAddress = 120,
    failuresPerClient = 30,
    store = () => new MemoryStore(),
  } = options ?? {}
  const pause: Pause = { until: 0 }
  const limiter = (name: 'address' | 'client', limit: number) =>
    new StoreLimiter(store(name), windowSeconds, limit, pause, emit)
  return {
    byAddress: limiter('address', failuresPerAddress),
    byClient: limiter('client', failuresPerClient),
  }
}

/** Of both limits: as a rule their stores have one database. */
interface Pause {
  until: number
}

/**
 * Where a request comes from. Express knows the address behind trusted proxies (`trust proxy`); without Express it is the
 * peer's.
 */
export function networkOf(req: IncomingMessage): string {
  const address = (req as { ip?: string }).ip ?? req.socket.remoteAddress ?? ''
  return address.includes(':') ? ipKeyGenerator(address, 56) : address
}

function keyOf(network: string, clientId: string | undefined): string {
  return clientId === undefined ? network : `${network} ${clientId}`
}

function refused(resetTime: Date | undefined, windowSeconds: number): OAuthError {
  const seconds = resetTime ? Math.ceil((resetTime.getTime() - Date.now()) / 1000) : windowSeconds
  return new OAuthError('temporarily_unavailable', 'Too many failed requests; try again later.', {
    status: 429,
    retryAfter: Math.max(1, seconds),
    reason: 'rate_limited',
  })
}

/**
 * The middleware of express-rate-limit counts each request when it comes and takes the successes back when they end, so
 * that many at once would look like many failures. Here a request only looks, and a failure is counted when it is known
 * to be one. A store that is down lets requests pass: it guards the door, it is not the door.
 */
class StoreLimiter implements FailureLimiter {
  constructor(
    private readonly store: Store,
    private readonly windowSeconds: number,
    private readonly limit: number,
    private readonly pause: Pause,
    private readonly emit: OnEvent,
  ) {
    if (typeof store?.get !== 'function') {
      throw new ConfigError(
        'rate_limit_store_without_get',
        'rateLimit.store',
        'makes a store without the method get.',
        'Use a store of express-rate-limit that has it; its own memory store and rate-limit-redis do.',
      )
    }
    // Of all its options these two are what a store may need.
    store.init?.({ windowMs: windowSeconds * 1000, limit } as Options)
  }

  async check(network: string, clientId?: string): Promise<void> {
    const { store } = this
    const key = keyOf(network, clientId)
    // One that keeps its counts in this process cannot hang.
    const seen = await (store.localKeys ? store.get?.(key) : this.guard(async () => store.get?.(key)))
    if (seen && seen.totalHits >= this.limit) throw refused(seen.resetTime, this.windowSeconds)
  }

  countFailure(network: string, clientId?: string): void {
    void this.guard(async () => this.store.increment(keyOf(network, clientId)))
  }

  close(): void {
    this.store.shutdown?.()
  }

  private async guard<T>(operation: () => Promise<T>): Promise<T | undefined> {
    if (performance.now() < this.pause.until) return undefined
    try {
      return await withDeadline(TIMEOUT_SECONDS, 'The rate-limit store', operation())
    } catch (cause) {
      this.pause.until = performance.now() + 1000 * PAUSE_SECONDS
      this.emit({ type: 'host.trouble', operation: 'rateLimit', cause })
      return undefined
    }
  }
}
