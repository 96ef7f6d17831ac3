// A primary, two replicas, and three sentinels that promote one of them when the primary is gone.
import type { Redis } from 'ioredis'
import { openAdmin, type RedisServer, startRedis, until } from './redis-server'

export interface RedisSentinel {
  /** The sentinels themselves. The first of them is who notices. */
  readonly watchers: RedisServer[]
  /** As ioredis takes them, with `name`. */
  readonly sentinels: { host: string; port: number }[]
  readonly name: string
  /** Whom the sentinels name. */
  primary(): Promise<RedisServer>
  replicas(): Promise<RedisServer[]>
  /** Asks one of the servers, over a connection that is kept. */
  ask(server: RedisServer): Redis
  /** Resolves when both replicas have all that was written until now. */
  replicated(): Promise<void>
  /** Resolves when another server than this one is the primary, by all sentinels or those named, and answers as such. */
  failedOver(from: RedisServer, by?: RedisServer[]): Promise<void>
  /** Resolves when all three servers are up, and two of them follow the primary. */
  healed(): Promise<void>
  stop(): Promise<void>
}

const NAME = 'main'

export async function startSentinel(): Promise<RedisSentinel> {
  const args = ['--repl-diskless-sync-delay', '0', '--repl-ping-replica-period', '1', '--repl-timeout', '3']
  const first = await startRedis({ args })
  const others = await Promise.all(
    [1, 2].map(() => startRedis({ args: [...args, '--replicaof', '127.0.0.1', `${first.port}`] })),
  )
  const servers = [first, ...others]

  // One of them notices before the others, and they vote for it. Three who notice at once may vote each for itself, again
  // and again, and begin anew after some seconds.
  const config = (downAfter: number) =>
    [
      `sentinel monitor ${NAME} 127.0.0.1 ${first.port} 1`,
      `sentinel down-after-milliseconds ${NAME} ${downAfter}`,
      `sentinel failover-timeout ${NAME} 1000`,
      `sentinel parallel-syncs ${NAME} 2`,
    ].join('\n')
  const watchers = await Promise.all(
    [500, 2000, 2000].map((downAfter) => startRedis({ args: ['--sentinel'], config: config(downAfter) })),
  )

  const { ask, close } = openAdmin()

  // They look at each other and at the servers every so many milliseconds. Tests have no time for the usual ones, nor for
  // the pause of half a minute that sentinels make when the machine was too busy for them. A replica whose last news is
  // older than five pings is not promoted, and while the primary is down there are news each second only.
  const periods = ['info-period', '200', 'ask-period', '100', 'publish-period', '100', 'ping-period', '300']
  periods.push('election-timeout', '1000', 'tilt-trigger', '10000', 'tilt-period', '1000')
  await Promise.all(watchers.map((watcher) => ask(watcher).call('SENTINEL', 'DEBUG', ...periods)))

  async function primary(): Promise<RedisServer> {
    const named = (await ask(watchers[0] as RedisServer).call(
      'SENTINEL',
      'GET-MASTER-ADDR-BY-NAME',
      NAME,
    )) as string[]
    const found = servers.find(({ port }) => `${port}` === named[1])
    if (!found) throw new Error(`no server at ${named}`)
    return found
  }

  const isPrimary = async (server: RedisServer) =>
    (await ask(server).info('replication')).includes('role:master')

  /** What each sentinel says of the primary. It changes when the failover is told to all who listen. */
  async function views(of: RedisServer[], ...names: string[]): Promise<string[]> {
    return Promise.all(
      of.map(async (watcher) => {
        const master = (await ask(watcher).call('SENTINEL', 'MASTER', NAME)) as string[]
        return names.map((name) => master[master.indexOf(name) + 1]).join(' ')
      }),
    )
  }

  /** A replica that is just back may take its time before it confirms the first write. */
  async function isReplicated(): Promise<boolean> {
    const admin = ask(await primary())
    await admin.set('replicated', '')
    return (await admin.wait(2, 1000)) === 2
  }

  async function isHealed(): Promise<boolean> {
    const { port } = await primary()
    const seen = await views(watchers, 'port', 'num-slaves', 'num-other-sentinels', 'flags')
    return seen.every((view) => view === `${port} 2 2 master`) && (await isReplicated())
  }

  const sentinel: RedisSentinel = {
    name: NAME,
    watchers,
    sentinels: watchers.map(({ port }) => ({ host: '127.0.0.1', port })),
    primary,
    async replicas() {
      const first = await primary()
      return servers.filter((server) => server !== first)
    },
    ask,
    replicated: () => until('replicated', isReplicated),
    failedOver: (from, by = watchers) =>
      until('failed over', async () => {
        const seen = await views(by, 'port')
        return (
          seen.every((port) => port !== `${from.port}` && port === seen[0]) &&
          (await isPrimary(await primary()))
        )
      }),
    healed: () => until('healed', isHealed),
    async stop() {
      close()
      await Promise.all([...watchers, ...servers].map((server) => server.stop()))
    },
  }
  await sentinel.healed()
  return sentinel
}
