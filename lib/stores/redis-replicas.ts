// Writes that must not be lost with the primary: each counts as done when enough replicas have it. They go over a
// connection of their own to each primary, because WAIT speaks for the writes of its connection, and holds it up.
import { setTimeout as delay } from 'node:timers/promises'
import { type Cluster, Command, type Redis } from 'ioredis'
import { withDeadline } from '../deadline'
import { badOptions, isFromReplica, USED_ONCE } from './redis-client'

/** How many replicas must have a redemption or a revocation before it is answered. */
export interface WaitForReplicas {
  /** How many replicas, besides the primary. */
  readonly count: number
  /** Seconds within which they must. Default: 0.3. Twice that should be less than the router's `storeTimeoutSeconds`. */
  readonly timeoutSeconds?: number | undefined
}

interface Script {
  readonly lua: string
  readonly numberOfKeys: number
}
type Arguments = readonly (string | number)[]

export interface ReplicaWriter {
  /** Runs a script. Rejects unless enough replicas confirm it in time; the primary has done it all the same. */
  run(script: Script, keysAndArguments: Arguments): Promise<unknown>
  close(): Promise<void>
}

/** One connection to one primary. What comes while it waits is written at once afterwards, and waited for together. */
interface Lane {
  /** @param send Sends a write, at once and nothing else. */
  write(send: (redis: Redis) => Promise<unknown>): Promise<unknown>
  close(): Promise<void>
}

interface Write {
  readonly send: (redis: Redis) => Promise<unknown>
  readonly since: number
  resolve(reply: unknown): void
  reject(error: unknown): void
}

interface Node {
  readonly host: string
  readonly port: number
}

/** Milliseconds within which a connection is made, though a sentinel or two do not answer. */
const READY_WITHIN = 1500

/** Milliseconds after which a write that had to queue is not begun any more: its caller gives up soon. */
const BEGUN_WITHIN = 500

/** Milliseconds, beyond those that replicas have, after which a server has gone silent. */
const SILENT_AFTER = 1000

/** Milliseconds in which `close` waits for what is under way. */
const CLOSED_WITHIN = 500

/** Milliseconds after which a node of a cluster is asked again that is just moving the slot. */
const TRY_AGAIN_AFTER = 40

/** How often a node of a cluster may send us elsewhere, or to come again. */
const MOST_REDIRECTIONS = 12

export function checkWaitForReplicas({ count, timeoutSeconds = 0.3 }: WaitForReplicas): void {
  if (!Number.isInteger(count) || count < 1)
    throw badOptions('waitForReplicas.count', 'is no number of replicas.', 'Give 1 or more.')
  if (!(timeoutSeconds >= 0.001 && timeoutSeconds <= 60))
    throw badOptions('waitForReplicas.timeoutSeconds', 'is no time.', 'Give seconds, such as 0.3.')
}

export function writeToReplicas(
  client: Redis | Cluster,
  { count, timeoutSeconds = 0.3 }: WaitForReplicas,
): ReplicaWriter {
  const timeout = Math.round(timeoutSeconds * 1000)
  const own = { ...USED_ONCE, socketTimeout: timeout + SILENT_AFTER }
  const lanes = new Map<string, Lane>()
  let closed = false

  function laneTo(name: string, open: () => Redis): Lane {
    // A write that a node of a cluster sent elsewhere may come after the end.
    if (closed) throw new Error('The connection to Redis is closed.')
    const lane = lanes.get(name) ?? openLane(open(), { count, timeout }, () => lanes.delete(name))
    lanes.set(name, lane)
    return lane
  }

  function laneToNode(cluster: Cluster, { host, port }: Node): Lane {
    return laneTo(`${host}:${port}`, () => {
      const [sample] = cluster.nodes()
      if (!sample) throw new Error('Redis is not connected.')
      return sample.duplicate({ ...own, host, port, keyPrefix: cluster.options.keyPrefix ?? '' })
    })
  }

  /** ioredis follows its nodes by itself, but then nobody knows whom to WAIT for. */
  async function writeToCluster(cluster: Cluster, key: string, send: Write['send']): Promise<unknown> {
    const askAndSend: Write['send'] = (redis) => {
      redis.asking().catch(() => {})
      return send(redis)
    }
    let [node, asked] = [ownerOf(cluster, key), false]
    for (let redirections = 0; ; redirections++) {
      try {
        return await laneToNode(cluster, node).write(asked ? askAndSend : send)
      } catch (error) {
        const [word, , address = ''] = (error as Error).message.split(' ')
        if (redirections === MOST_REDIRECTIONS) throw error
        if (word === 'TRYAGAIN') await delay(TRY_AGAIN_AFTER)
        else if (word === 'MOVED' || word === 'ASK')
          [node, asked] = [nodeAt(cluster, address, node.host), word === 'ASK']
        else throw error
      }
    }
  }

  return {
    async run({ lua, numberOfKeys }, keysAndArguments) {
      // Whole and not by its hash: to learn that Redis has forgotten it would be too late for the WAIT behind it.
      const send = (redis: Redis) => redis.eval(lua, numberOfKeys, ...keysAndArguments)
      if ('nodes' in client) return writeToCluster(client, String(keysAndArguments[0]), send)
      return laneTo('', () => client.duplicate(own)).write(send)
    },
    async close() {
      closed = true
      await Promise.all([...lanes.values()].map((lane) => lane.close()))
    },
  }
}

function openLane(
  redis: Redis,
  { count, timeout }: { count: number; timeout: number },
  onRetired: () => void,
): Lane {
  const queue: Write[] = []
  let working: Promise<void> | undefined
  let retired = false

  redis.on('error', () => {}) // the writes that fail for it reject
  redis.once('end', retire)
  const ready = withDeadline(READY_WITHIN / 1000, 'Redis', redis.connect())
  ready.catch(retire)

  function refuseTooFew(confirmed: number | string): void {
    if (Number(confirmed) >= count) return
    throw new Error(`${confirmed} of ${count} replicas confirmed a write within ${timeout} ms.`)
  }

  /** Nothing new comes here. The next write looks for the primary, and for its replicas, again. */
  function retire(): void {
    if (retired) return
    retired = true
    onRetired()
    redis.disconnect()
  }

  async function work(): Promise<void> {
    try {
      await ready
      // Where replicas are missing nothing is written, so that no code is spent for an answer of 503.
      refuseTooFew(await redis.wait(count, timeout))
      while (queue.length > 0) await commit(queue.splice(0).filter(isInTime))
    } catch (error) {
      retire()
      for (const write of queue.splice(0)) write.reject(error)
    }
    working = undefined
  }

  function isInTime({ since, reject }: Write): boolean {
    const inTime = performance.now() - since < BEGUN_WITHIN
    if (!inTime) reject(new Error('Redis took too long over the writes before.'))
    return inTime
  }

  async function commit(writes: readonly Write[]): Promise<void> {
    if (writes.length === 0) return
    // No `await` in between: WAIT speaks for what was written before it.
    const sent = writes.map(({ send }) => send(redis))
    const waited = redis.wait(count, timeout).then(refuseTooFew)
    const [confirmed, ...replies] = await Promise.allSettled([waited, ...sent])
    writes.forEach(({ resolve, reject }, i) => {
      const reply = replies[i] as PromiseSettledResult<unknown>
      if (reply.status === 'rejected') reject(reply.reason)
      else if (confirmed.status === 'rejected') reject(confirmed.reason)
      else resolve(reply.value)
    })
    if (confirmed.status === 'rejected') throw confirmed.reason
    // It is the primary no longer.
    for (const reply of replies)
      if (reply.status === 'rejected' && isFromReplica(reply.reason)) throw reply.reason
  }

  return {
    write(send) {
      return new Promise((resolve, reject) => {
        queue.push({ send, since: performance.now(), resolve, reject })
        working ??= work()
      })
    },
    async close() {
      await Promise.race([working, delay(CLOSED_WITHIN, undefined, { ref: false })])
      redis.disconnect()
    },
  }
}

/** As far as the cluster's client knows. Any other node will say who it is. */
function ownerOf(cluster: Cluster, key: string): Node {
  const slot = new Command('get', [key], { keyPrefix: cluster.options.keyPrefix ?? '' }).getSlot()
  const name = slot === null ? undefined : cluster.slots[slot]?.[0]
  const nodes = cluster.nodes('master').map(({ options: { host = '', port = 0 } }) => ({ host, port }))
  const node = nodes.find(({ host, port }) => `${host}:${port}` === name) ?? nodes[0]
  if (!node) throw new Error('Redis is not connected.')
  return node
}

/** Where a node of a cluster sends us to. It leaves its host out when it is the same. */
function nodeAt(cluster: Cluster, address: string, sameHost: string): Node {
  const { natMap } = cluster.options
  const mapped = typeof natMap === 'function' ? natMap(address) : natMap?.[address]
  const colon = address.lastIndexOf(':')
  return mapped ?? { host: address.slice(0, colon) || sameHost, port: Number(address.slice(colon + 1)) }
}
