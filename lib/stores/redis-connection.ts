// The way to Redis: the host's own client, or a connection that the store opens. Either way a call is made now or not
// at all. Nothing waits in a queue to be done long after the caller has given up.
import { setTimeout as delay } from 'node:timers/promises'
import { type Cluster, Redis, type RedisOptions } from 'ioredis'
import { SCRIPTS, type ScriptName } from './redis-scripts'

export interface RedisConnectionOptions {
  readonly url?: string | undefined
  readonly client?: Redis | Cluster | undefined
  readonly options?: RedisOptions | undefined
  readonly onWarning?: ((code: string, message: string) => void) | undefined
}

export interface RedisConnection {
  /** Runs a script; the keys it touches come first. */
  run(script: ScriptName, ...keysAndArguments: (string | number)[]): Promise<unknown>
  close(): Promise<void>
}

/** What Redis and Cluster have in common, as far as it is used here. */
interface Client {
  readonly status: string
  connect(): Promise<void>
  quit(): Promise<unknown>
  disconnect(reconnect?: boolean): void
  info(section: string): Promise<string>
  defineCommand(name: string, definition: { lua: string; numberOfKeys: number }): void
  on(event: string, listener: (error: Error) => void): unknown
  once(event: string, listener: () => void): unknown
  off(event: string, listener: () => void): unknown
}
type Scripts = Record<string, (...keysAndArguments: (string | number)[]) => Promise<unknown>>

/** Milliseconds that a call waits for a connection that is just being made. */
const READY_WITHIN = 500

/** Milliseconds after which a server that owes an answer is taken for dead. */
const SILENT_AFTER = 1000

/** Milliseconds in which `close` hopes for a goodbye. */
const QUIT_WITHIN = 500

/** The scripts become methods of the client, which may be the host's: they must not take the place of its own. */
const METHOD_PREFIX = 'tokenStore:'

export function connectRedis({
  url,
  client: given,
  options,
  onWarning = (code, message) => process.emitWarning(message, { code }),
}: RedisConnectionOptions): RedisConnection {
  const client: Client = given ?? open(url, options)
  let trouble: Error | undefined
  let closing: Promise<void> | undefined
  let readiness: Promise<void> | undefined

  // Without a listener ioredis prints each failed attempt. The calls that fail for it reject, and name it as their cause.
  if (!given) client.on('error', (error) => (trouble = withoutCommand(error)))

  for (const [name, script] of Object.entries(SCRIPTS)) client.defineCommand(METHOD_PREFIX + name, script)

  const checkEviction = () => void warnOfEviction(client, onWarning)
  if (client.status === 'ready') checkEviction()
  else client.once('ready', checkEviction)

  let heard = 0
  let dropped = false

  /**
   * A server that has gone silent is given up, so that what waits for it does not pile up. After one more look at what
   * has come (ioredis's own `socketTimeout` takes none): a process that was busy itself must not blame the server.
   */
  function awaitAnswer(): () => void {
    if (given) return () => {}
    const since = performance.now()
    const giveUp = () => {
      // Once for each connection, however many wait.
      if (heard >= since || dropped) return
      dropped = true
      client.disconnect(true)
    }
    const timer = setTimeout(() => setImmediate(giveUp), SILENT_AFTER)
    return () => {
      heard = performance.now()
      clearTimeout(timer)
    }
  }
  let handshakeDone = () => {}
  if (!given) {
    client.on('connect', () => {
      dropped = false
      handshakeDone = awaitAnswer()
    })
    client.on('ready', () => handshakeDone())
    client.on('close', () => handshakeDone())
  }

  function untilReady(): Promise<void> {
    return new Promise((resolve, reject) => {
      const onReady = () => {
        clearTimeout(timer)
        resolve()
      }
      const timer = setTimeout(() => {
        client.off('ready', onReady)
        reject(new Error('Redis is not connected.', { cause: trouble }))
      }, READY_WITHIN)
      client.once('ready', onReady)
      if (client.status === 'wait') client.connect().catch(() => {})
    })
  }

  async function end(): Promise<void> {
    client.off('ready', checkEviction)
    if (given) return
    const goodbye = client.status === 'ready' ? client.quit().then(Boolean, () => false) : false
    const left = await Promise.race([goodbye, delay(QUIT_WITHIN, false, { ref: false })])
    if (!left) client.disconnect()
  }

  return {
    async run(script, ...keysAndArguments) {
      if (closing || client.status === 'end') throw new Error('The connection to Redis is closed.')
      if (client.status !== 'ready') {
        // One listener for all who wait, however many they are.
        readiness ??= untilReady().finally(() => (readiness = undefined))
        await readiness
      }
      const method = (client as unknown as Scripts)[METHOD_PREFIX + script]
      const answered = awaitAnswer()
      try {
        return await method?.apply(client, keysAndArguments)
      } catch (error) {
        throw withoutCommand(error)
      } finally {
        answered()
      }
    },

    close: () => (closing ??= end()),
  }
}

/** ioredis adds the command with its arguments: what a grant says, or the password. Neither is for logs. */
function withoutCommand<E>(error: E): E {
  if (error instanceof Error) Reflect.deleteProperty(error, 'command')
  return error
}

function open(url: string | undefined, options: RedisOptions = {}): Redis {
  const settings = {
    host: '127.0.0.1',
    // Within two seconds of its return, Redis is in use again.
    connectTimeout: 1500,
    maxLoadingRetryTime: 500,
    retryStrategy: (attempt: number) => Math.min(50 * 2 ** (attempt - 1), 500),
    disconnectTimeout: 100,
    ...options,
    // A command that cannot be sent or loses its answer is the caller's to judge.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    replyMapping: 'legacy' as const,
  }
  return url === undefined ? new Redis(settings) : new Redis(url, settings)
}

/**
 * Under memory pressure a Redis that may evict ends grants, forgets what must not be used twice, and drops indexes, so
 * that "log out everywhere" misses some. Said even where no limit is set yet. INFO, and not CONFIG, because managed
 * services forbid the latter.
 */
async function warnOfEviction(
  client: Client,
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
