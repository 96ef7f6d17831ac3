// What can be wrong with one Redis, caused for real; and how a request is answered meanwhile.
import { once } from 'node:events'
import { mkdir, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import type { Reply } from '../processes/start-server'
import { type RedisServer, startRedis } from '../support/redis-server'
import { startProxy, type TcpProxy } from './tcp-proxy'

/** Milliseconds within which each request is answered, and within which all is well again after the fault. */
export const ANSWERED_WITHIN = 1500
export const BACK_WITHIN = 2000

/**
 * On disk before it is answered, so that a killed server comes back with all that it ever said. With `everysec`, the
 * default, Redis may answer first and write later while the disk is slow, and what was lost is the token's to prove.
 */
export const PERSISTENT = ['--appendonly', 'yes', '--appendfsync', 'always']

/** A Redis, and the way to it that a fault may spoil. */
export interface Place {
  readonly redis: RedisServer
  readonly proxy: TcpProxy
  /** A connection past the proxy. */
  readonly admin: Redis
  close(): Promise<void>
}

export async function startPlace(args = PERSISTENT): Promise<Place> {
  const redis = await startRedis({ args })
  const proxy = await startProxy(redis.port)
  const admin = new Redis(redis.url, { retryStrategy: () => 50, disconnectTimeout: 50 })
  admin.on('error', () => {})
  return {
    redis,
    proxy,
    admin,
    async close() {
      admin.disconnect()
      proxy.close()
      await redis.stop()
    },
  }
}

export interface Fault {
  readonly title: string
  readonly begin: (place: Place) => unknown
  readonly end: (place: Place) => unknown
  /** What needs nothing that the fault takes away. */
  readonly works?: RequestName[]
}

export type RequestName =
  | 'exchange'
  | 'rotate'
  | 'refresh'
  | 'revoke'
  | 'introspect'
  | 'authorize'
  | 'guarded'

export const ALL: RequestName[] = [
  'exchange',
  'rotate',
  'refresh',
  'revoke',
  'introspect',
  'authorize',
  'guarded',
]
const READS: RequestName[] = ['introspect', 'guarded']

export const FAULTS: Fault[] = [
  {
    title: 'refuses connections',
    begin: ({ redis }) => redis.kill(),
    end: ({ redis }) => redis.restart(),
  },
  {
    title: 'is frozen (SIGSTOP)',
    begin: ({ redis }) => redis.pause(),
    end: ({ redis }) => redis.resume(),
  },
  {
    title: 'answers after 5 s',
    begin: ({ proxy }) => {
      proxy.mode = 'slow'
    },
    end: ({ proxy }) => {
      proxy.mode = 'pass'
    },
  },
  {
    title: 'loses the connection whenever it should answer',
    begin: ({ proxy }) => {
      proxy.mode = 'drop-replies'
    },
    end: ({ proxy }) => {
      proxy.mode = 'pass'
    },
  },
  {
    title: 'has no memory left (OOM)',
    begin: ({ admin }) => admin.config('SET', 'maxmemory', '1'),
    end: ({ admin }) => admin.config('SET', 'maxmemory', '0'),
    works: [...READS, 'revoke'],
  },
  {
    title: 'has become a replica (READONLY)',
    begin: ({ admin }) => admin.replicaof('127.0.0.1', '1'),
    end: ({ admin }) => admin.replicaof('NO', 'ONE'),
  },
  {
    title: 'is a replica without its primary (MASTERDOWN)',
    begin: async ({ admin }) => {
      await admin.config('SET', 'replica-serve-stale-data', 'no')
      await admin.replicaof('127.0.0.1', '1')
    },
    end: async ({ admin }) => {
      await admin.replicaof('NO', 'ONE')
      await admin.config('SET', 'replica-serve-stale-data', 'yes')
    },
  },
  {
    title: 'lacks the replicas that it must write to (NOREPLICAS)',
    begin: ({ admin }) => admin.config('SET', 'min-replicas-to-write', '1'),
    end: ({ admin }) => admin.config('SET', 'min-replicas-to-write', '0'),
    works: READS,
  },
  {
    title: 'cannot save to its disk (MISCONF)',
    begin: async ({ admin }) => {
      await mkdir(await dumpFile(admin)) // in the way of the file
      await admin.config('SET', 'save', '3600 1')
      await admin.bgsave()
      while (!/rdb_last_bgsave_status:err/.test(await admin.info('persistence'))) await delay(10)
    },
    end: async ({ admin }) => {
      await rm(await dumpFile(admin), { recursive: true })
      await admin.config('SET', 'save', '')
    },
    works: READS,
  },
  {
    title: 'has no connection left (max number of clients reached)',
    begin: async ({ admin }) => {
      await admin.config('SET', 'maxclients', '1')
      await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    },
    end: ({ admin }) => admin.config('SET', 'maxclients', '10000'),
  },
  {
    title: "runs somebody's endless script (BUSY)",
    begin: async ({ admin }) => {
      await admin.config('SET', 'lua-time-limit', '20')
      void admin.eval('while true do end', 0).catch(() => {})
      await delay(100)
    },
    // By hand: a client would first ask for INFO, which is refused as well.
    end: async ({ redis }) => {
      const socket = connect(redis.port, '127.0.0.1')
      socket.write('SCRIPT KILL\r\n')
      await once(socket, 'data')
      socket.destroy()
    },
  },
  {
    title: 'has another password than ours (NOAUTH)',
    begin: async ({ admin }) => {
      await admin.config('SET', 'requirepass', 'changed')
      await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    },
    end: ({ admin }) => admin.config('SET', 'requirepass', ''),
  },
  {
    title: 'forgets its scripts (SCRIPT FLUSH)',
    begin: ({ admin }) => admin.script('FLUSH'),
    end: () => {},
    works: ALL,
  },
  {
    title: 'drops idle connections',
    begin: async ({ admin }) => {
      await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
      await delay(20) // until the other end knows
    },
    end: () => {},
    works: ALL,
  },
]

async function dumpFile(admin: Redis): Promise<string> {
  const [, directory] = (await admin.config('GET', 'dir')) as [string, string]
  return join(directory, 'dump.rdb')
}

/** What a reply says of its request, in one word. Whatever else is wrong with it makes it another word. */
export function outcome(request: RequestName, { status, headers, body }: Reply): string {
  const redirect = headers.location && new URL(headers.location).searchParams
  if (request === 'authorize' && redirect) {
    if (redirect.has('code')) return 'works'
    return redirect.get('error') === 'temporarily_unavailable' ? 'unavailable' : `${redirect}`
  }
  if (status === 200 && body?.active !== false) return 'works'
  const { error, ...rest } = body ?? {}
  const unavailable =
    status === 503 &&
    headers['retry-after'] === '1' &&
    headers['content-type'] === 'application/json; charset=utf-8' &&
    headers['cache-control'] === 'no-store' &&
    error === 'temporarily_unavailable' &&
    Object.keys(rest).join() === 'error_description'
  return unavailable ? 'unavailable' : `${status} ${JSON.stringify(headers)} ${JSON.stringify(body)}`
}
