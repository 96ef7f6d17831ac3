// Three primaries with a replica each, that share the slots and fail over by themselves.
import { setTimeout as delay } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { openAdmin, type RedisServer, startRedis, until } from './redis-server'

export interface RedisCluster {
  /** As ioredis takes them. */
  readonly nodes: { host: string; port: number }[]
  /** The primary of a slot, and what follows it. */
  ownerOf(slot: number): Promise<{ primary: RedisServer; replicas: RedisServer[] }>
  slotOf(key: string): Promise<number>
  /** Asks one of the servers, over a connection that is kept. */
  ask(server: RedisServer): Redis
  /** Which errors its nodes have answered with since the last time. */
  errors(): Promise<string[]>
  /** Begins to move a slot: from now on a key is where it was, or, once it was moved, at the other server. */
  beginMove(slot: number): Promise<Move>
  moveKey(key: string, move: Move): Promise<void>
  /** Moves the keys of the slot: all at once, or so many at a time with a pause in between. */
  moveKeys(slot: number, move: Move, slowly?: { atATime: number; pause: number }): Promise<void>
  endMove(slot: number, move: Move): Promise<void>
  /** Resolves when a primary's replica has all that was written until now. */
  replicated(primary: RedisServer): Promise<void>
  /** Resolves when all nodes say so, and every primary has its replica. */
  healed(): Promise<void>
  stop(): Promise<void>
}

/** From which primary to which. */
export interface Move {
  readonly from: RedisServer
  readonly to: RedisServer
}

const SLOTS = 16384

export async function startCluster(): Promise<RedisCluster> {
  const args = ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1']
  args.push('--cluster-node-timeout', '600', '--cluster-replica-validity-factor', '0')
  args.push('--repl-diskless-sync-delay', '0', '--repl-ping-replica-period', '1')
  const servers = await Promise.all(Array.from({ length: 6 }, () => startRedis({ args })))

  const { ask, close } = openAdmin()
  const idOf = (server: RedisServer) => ask(server).call('CLUSTER', 'MYID') as Promise<string>

  const primaries = servers.slice(0, 3)
  await Promise.all(
    primaries.map(async (server, i) => {
      const [from, to] = [Math.ceil((i * SLOTS) / 3), Math.ceil(((i + 1) * SLOTS) / 3) - 1]
      await ask(server).call('CLUSTER', 'SET-CONFIG-EPOCH', `${i + 1}`)
      await ask(server).call('CLUSTER', 'ADDSLOTSRANGE', `${from}`, `${to}`)
    }),
  )
  const [first, ...others] = servers as [RedisServer, ...RedisServer[]]
  for (const { port } of others) await ask(first).call('CLUSTER', 'MEET', '127.0.0.1', `${port}`)
  const known = async (server: RedisServer) =>
    (await ask(server).cluster('INFO')).includes('cluster_known_nodes:6')
  await until('met', async () => (await Promise.all(servers.map(known))).every(Boolean))
  await Promise.all(
    primaries.map(async (primary, i) =>
      ask(servers[i + 3] as RedisServer).call('CLUSTER', 'REPLICATE', await idOf(primary)),
    ),
  )

  const slotOf = (key: string) => ask(first).cluster('KEYSLOT', key)
  const serverAt = (port: number) => servers.find((server) => server.port === port) as RedisServer
  async function ownerOf(slot: number) {
    for (const server of servers) {
      const ranges = (await ask(server)
        .cluster('SLOTS')
        .catch(() => [])) as [number, number, ...[string, number][]][]
      const range = ranges.find(([from, to]) => slot >= from && slot <= to)
      if (!range) continue
      const [primary, ...replicas] = range.slice(2).map((node) => serverAt((node as [string, number])[1]))
      return { primary: primary as RedisServer, replicas }
    }
    throw new Error('no node answers')
  }

  async function isHealed(): Promise<boolean> {
    const views = await Promise.all(
      servers.map(async (server) => {
        const [info, slots, replication] = await Promise.all([
          ask(server).cluster('INFO'),
          ask(server).cluster('SLOTS') as Promise<unknown[][]>,
          ask(server).info('replication'),
        ])
        const linked = replication.includes('role:slave')
          ? replication.includes('master_link_status:up')
          : replication.includes('connected_slaves:1')
        return info.includes('cluster_state:ok') && linked && slots.every((range) => range.length === 4)
      }),
    )
    return views.every(Boolean)
  }

  /** A replica that is just back says that it has all, and may be sent what is new a second later: so one write is made. */
  async function replicated(primary: RedisServer): Promise<void> {
    const key = await keyAt(primary)
    await until('replicated', async () => {
      await ask(primary).set(key, '')
      return (await ask(primary).wait(1, 1000)) === 1
    })
  }

  async function keyAt(primary: RedisServer): Promise<string> {
    for (let number = 0; ; number++) {
      const owner = await ownerOf(await slotOf(`${number}`))
      if (owner.primary === primary) return `${number}`
    }
  }

  async function migrate(keys: string[], { from, to }: Move): Promise<void> {
    await ask(from).call('MIGRATE', '127.0.0.1', `${to.port}`, '', '0', '5000', 'KEYS', ...keys)
  }

  const cluster: RedisCluster = {
    nodes: servers.map(({ port }) => ({ host: '127.0.0.1', port })),
    ownerOf,
    slotOf,
    ask,
    async errors() {
      const stats = await Promise.all(servers.map((server) => ask(server).info('errorstats')))
      await Promise.all(servers.map((server) => ask(server).config('RESETSTAT')))
      return [...stats.join().matchAll(/errorstat_(\w+)/g)].map(([, word]) => word as string)
    },
    async beginMove(slot) {
      const { primary: from } = await ownerOf(slot)
      const owners = await Promise.all([0, SLOTS / 2, SLOTS - 1].map(ownerOf))
      const to = owners.find(({ primary }) => primary !== from)?.primary as RedisServer
      await ask(to).call('CLUSTER', 'SETSLOT', `${slot}`, 'IMPORTING', await idOf(from))
      await ask(from).call('CLUSTER', 'SETSLOT', `${slot}`, 'MIGRATING', await idOf(to))
      return { from, to }
    },
    moveKey: (key, move) => migrate([key], move),
    async moveKeys(slot, move, { atATime, pause } = { atATime: 10000, pause: 0 }) {
      const some = () => ask(move.from).call('CLUSTER', 'GETKEYSINSLOT', `${slot}`, `${atATime}`)
      for (let keys = await some(); (keys as string[]).length > 0; keys = await some()) {
        await migrate(keys as string[], move)
        await delay(pause)
      }
    },
    async endMove(slot, { from, to }) {
      const id = await idOf(to)
      const tell = (server: RedisServer) => ask(server).call('CLUSTER', 'SETSLOT', `${slot}`, 'NODE', id)
      for (const server of [to, from]) await tell(server)
      // The others would hear of it soon. Replicas are not to be told.
      await Promise.allSettled(servers.map(tell))
    },
    replicated,
    async healed() {
      await until('healed', isHealed)
      for (const slot of [0, SLOTS / 2, SLOTS - 1]) await replicated((await ownerOf(slot)).primary)
    },
    async stop() {
      close()
      await Promise.all(servers.map((server) => server.stop()))
    },
  }
  await cluster.healed()
  return cluster
}
