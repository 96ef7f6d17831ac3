// The way to Redis: a client of the host's own, or one that is opened here and follows the primary.
import type { Cluster, Redis } from 'ioredis'
import { badOptions, openRedis, type RedisAddress } from './redis-client'
import { checkWaitForReplicas, type WaitForReplicas } from './redis-replicas'
import type { ScriptName } from './redis-scripts'
import { openSession, type RedisSession } from './redis-session'

export interface RedisConnectionOptions extends RedisAddress {
  readonly client?: Redis | Cluster | undefined
  readonly waitForReplicas?: WaitForReplicas | undefined
  readonly onWarning?: ((code: string, message: string) => void) | undefined
}

export interface RedisConnection {
  /** Runs a script; the keys it touches come first. */
  run(script: ScriptName, ...keysAndArguments: (string | number)[]): Promise<unknown>
  /** The same for what must not be lost with the primary. Where the host wants it, it waits for replicas. */
  runSafely(script: ScriptName, ...keysAndArguments: (string | number)[]): Promise<unknown>
  /** Where the host wants it, waits until replicas have all that was written before. @param unused A key of that slot. */
  settle(unused: string): Promise<void>
  close(): Promise<void>
}

/** Milliseconds between two looks for another primary. */
const LOOK_AGAIN_AFTER = 1000

export function connectRedis({
  client: given,
  waitForReplicas,
  onWarning = (code, message) => process.emitWarning(message, { code }),
  ...address
}: RedisConnectionOptions): RedisConnection {
  refuseTwoPlaces({ client: given, ...address })
  if (waitForReplicas) checkWaitForReplicas(waitForReplicas)
  // A cluster tells by itself where a primary is, and a client of the host's own is the host's.
  const following = given === undefined && address.cluster === undefined
  const sessions = new Set<RedisSession>()
  const onReplica = () => {
    if (following) void lookForPrimary()
  }
  const open = () => {
    const session = openSession(given ?? openRedis(address), given === undefined, waitForReplicas, onReplica)
    sessions.add(session)
    return session
  }
  let current = open()
  const { client } = current
  let closing: Promise<void> | undefined

  const checkEviction = () => void warnOfEviction(client, onWarning)
  if (client.status === 'ready') checkEviction()
  else client.once('ready', checkEviction)

  let looked = Number.NEGATIVE_INFINITY

  /**
   * The server has become a replica, and its name or the sentinels may lead to another by now. The old connection serves
   * until there is a better one, and answers what it was asked.
   */
  async function lookForPrimary(): Promise<void> {
    if (closing || performance.now() - looked < LOOK_AGAIN_AFTER) return
    looked = performance.now()
    const found = open()
    const said = await found.info('replication').catch(() => '')
    const [better, worse] = said.includes('role:master') && !closing ? [found, current] : [current, found]
    current = better
    await worse.close()
    sessions.delete(worse)
  }

  async function end(): Promise<void> {
    client.off('ready', checkEviction)
    await Promise.all([...sessions].map((session) => session.close()))
  }

  const run = (script: ScriptName, ...keysAndArguments: (string | number)[]) =>
    current.run(script, keysAndArguments)

  const runSafely = (script: ScriptName, ...keysAndArguments: (string | number)[]) =>
    current.runSafely(script, keysAndArguments)

  return {
    run,
    runSafely,
    async settle(unused) {
      if (waitForReplicas) await runSafely('touch', unused)
    },
    close: () => (closing ??= end()),
  }
}

function refuseTwoPlaces({ url, options, cluster, client }: RedisConnectionOptions): void {
  const places = { url, 'options.sentinels': options?.sentinels, cluster, client, options: client && options }
  const given = Object.entries(places).filter(([, value]) => value !== undefined)
  if (given.length <= 1) return
  throw badOptions(
    given.map(([name]) => name).join(' and '),
    'are given together.',
    'Name one Redis: by url, options, cluster, or a client, which has its own options.',
  )
}

/**
 * Under memory pressure a Redis that may evict ends grants, forgets what must not be used twice, and drops indexes, so
 * that "log out everywhere" misses some. Said even where no limit is set yet. INFO, and not CONFIG, because managed
 * services forbid the latter.
 */
async function warnOfEviction(
  client: { info(section: string): Promise<string> },
  onWarning: (code: string, message: string) => void,
): Promise<void> {
  const memory = await client.info('memory').catch(() => '') // not allowed to ask, or gone again: nothing to say
  const policy = /^maxmemory_policy:([\w-]+)/m.exec(memory)?.[1] ?? 'noeviction'
  if (policy === 'noeviction') return
  onWarning(
    'redis_may_evict',
    `Redis has the maxmemory-policy ${policy} and may drop grants, replay marks and indexes. Set it to noeviction.`,
  )
}
