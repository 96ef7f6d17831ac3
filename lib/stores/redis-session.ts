// One client of ioredis. A call is made as soon as the client is ready, which is soon, or not at all: nothing waits in a
// queue to be done long after the caller has given up.
import { setTimeout as delay } from 'node:timers/promises'
import type { Cluster, Redis } from 'ioredis'
import { Patience, STEPS } from '../deadline'
import { isFromReplica } from './redis-client'
import { type WaitForReplicas, writeToReplicas } from './redis-replicas'
import { SCRIPTS, type ScriptName } from './redis-scripts'

export type Arguments = readonly (string | number)[]

export interface RedisSession {
  readonly client: Redis | Cluster
  /** Runs a script; the keys it touches come first. */
  run(script: ScriptName, keysAndArguments: Arguments): Promise<unknown>
  /** The same for what must not be lost with the primary. Where the host wants it, it waits for replicas. */
  runSafely(script: ScriptName, keysAndArguments: Arguments): Promise<unknown>
  /** A section of what the server says of itself. */
  info(section: string): Promise<string>
  /** Ends what was opened here, once what is under way is answered. May be called twice. */
  close(): Promise<void>
}

/** What Redis and Cluster have in common, as far as it is used here. */
interface Client {
  readonly status: string
  connect(): Promise<void>
  quit(): Promise<unknown>
  disconnect(reconnect?: boolean): void
  info(section: string): Promise<string>
  eval(lua: string, numberOfKeys: number, ...keysAndArguments: Arguments): Promise<unknown>
  evalsha(sha: string, numberOfKeys: number, ...keysAndArguments: Arguments): Promise<unknown>
  on(event: string, listener: (error: Error) => void): unknown
  once(event: string, listener: () => void): unknown
  off(event: string, listener: () => void): unknown
}

/** Milliseconds that a call waits for a connection that is just being made. */
const READY_WITHIN = 500

/** Milliseconds after which a server that owes an answer is taken for dead. */
const SILENT_AFTER = 1000

/** Milliseconds after which a client that gave up tries again. */
const RECONNECT_AFTER = 100

/** Milliseconds in which `close` hopes for a goodbye. */
const QUIT_WITHIN = 500

/**
 * @param own Whether the client was opened for this session alone. The host's is neither watched nor closed.
 * @param onReplica Told when a server refuses because it is a replica. It has done nothing.
 */
export function openSession(
  redis: Redis | Cluster,
  own: boolean,
  waitForReplicas: WaitForReplicas | undefined,
  onReplica: () => void,
): RedisSession {
  const client: Client = redis
  const replicas = waitForReplicas && writeToReplicas(redis, waitForReplicas)
  let trouble: Error | undefined
  let closing: Promise<void> | undefined
  let readiness: Promise<void> | undefined

  // Without a listener ioredis prints each failed attempt. The calls that fail for it reject, and name it as their cause.
  if (own) client.on('error', (error) => (trouble = withoutCommand(error)))

  // A cluster has its own way, for each of its nodes.
  const watching = own && !('nodes' in redis)
  const silence = watching ? watchForSilence(() => client.disconnect(true)) : NOT_WATCHED
  if (watching) {
    let shakingHands = false
    const shaken = () => {
      if (shakingHands) silence.answered()
      shakingHands = false
    }
    client.on('connect', () => {
      shakingHands = true
      silence.asked()
    })
    client.on('ready', shaken)
    client.on('close', shaken)
  }

  function untilReady(): Promise<void> {
    return new Promise((resolve, reject) => {
      const patience = new Patience(READY_WITHIN, () => {
        client.off('ready', onReady)
        reject(new Error('Redis is not connected.', { cause: trouble }))
      })
      const onReady = () => {
        patience.end()
        resolve()
      }
      client.once('ready', onReady)
      if (client.status === 'wait') client.connect().catch(() => {})
    })
  }

  // ioredis gives up for good when it hears of a failover while it asks the sentinels whom to connect to.
  if (own) client.on('end', () => setTimeout(reconnect, RECONNECT_AFTER).unref())

  function reconnect(): void {
    if (!closing && client.status === 'end') client.connect().catch(() => {})
  }

  function refuseWhenClosed(): void {
    if (closing || (client.status === 'end' && !own)) throw new Error('The connection to Redis is closed.')
  }

  async function call<T>(send: () => Promise<T>): Promise<T> {
    refuseWhenClosed()
    if (client.status !== 'ready') {
      // One listener for all who wait, however many they are.
      readiness ??= untilReady().finally(() => (readiness = undefined))
      await readiness
    }
    cork()
    silence.asked()
    try {
      return await send()
    } catch (error) {
      throw failure(error)
    } finally {
      silence.answered()
    }
  }

  /** As the caller gets it. That it came from a replica is told. */
  function failure(error: unknown): unknown {
    if (isFromReplica(error)) onReplica()
    return withoutCommand(error)
  }

  function run(script: ScriptName, keysAndArguments: Arguments): Promise<unknown> {
    const { lua, sha, numberOfKeys } = SCRIPTS[script]
    return call(() => client.evalsha(sha, numberOfKeys, ...keysAndArguments)).catch((error) => {
      if (!isForgotten(error)) throw error
      return call(() => client.eval(lua, numberOfKeys, ...keysAndArguments))
    })
  }

  let corked = false

  /**
   * What many requests ask for in one turn of the event loop leaves in one write. Each for itself, to write is what a
   * call costs most. A cluster has a connection for each node, and the host's client has other users.
   */
  function cork(): void {
    if (!watching || corked) return
    const { stream } = redis as Redis
    corked = true
    stream.cork()
    setImmediate(() => {
      corked = false
      stream.uncork()
    })
  }

  async function end(): Promise<void> {
    await replicas?.close()
    if (!own) return
    const goodbye = client.status === 'ready' ? client.quit().then(Boolean, () => false) : false
    const left = await Promise.race([goodbye, delay(QUIT_WITHIN, false, { ref: false })])
    // A goodbye leaves the connections to sentinels open.
    if (!left || watching) client.disconnect()
  }

  return {
    client: redis,
    run,
    async runSafely(script, keysAndArguments) {
      if (!replicas) return run(script, keysAndArguments)
      refuseWhenClosed()
      return replicas.run(SCRIPTS[script], keysAndArguments).catch((error) => {
        throw failure(error)
      })
    },
    info: (section) => call(() => client.info(section)),
    close: () => (closing ??= end()),
  }
}

interface Silence {
  /** A command was sent. */
  asked(): void
  /** It was answered, or given up. */
  answered(): void
}

const NOT_WATCHED: Silence = { asked() {}, answered() {} }

/**
 * A server that owes answers and has gone silent is given up, so that what waits for it does not pile up. It is counted
 * how often nothing had come when we looked, and not how long (as ioredis's own `socketTimeout` does): a process that was
 * busy itself must not blame the server. There is one timer for all commands: one for each would cost more than the rest
 * of this file.
 */
function watchForSilence(giveUp: () => void): Silence {
  let owed = 0
  let inVain = 0
  let timer: NodeJS.Timeout | undefined

  const lookSoon = () => {
    timer = setTimeout(() => setImmediate(look), SILENT_AFTER / STEPS).unref()
  }
  function look(): void {
    timer = undefined
    if (owed === 0) return
    inVain++
    if (inVain < STEPS) lookSoon()
    else giveUp()
  }

  return {
    asked() {
      if (owed++ === 0) inVain = 0
      if (timer === undefined) lookSoon()
    },
    answered() {
      owed--
      inVain = 0
    },
  }
}

function isForgotten(error: unknown): boolean {
  return /^NOSCRIPT /.test((error as Error).message)
}

/** ioredis adds the command with its arguments: what a grant says, or the password. Neither is for logs. */
function withoutCommand<E>(error: E): E {
  if (error instanceof Error) Reflect.deleteProperty(error, 'command')
  return error
}
