// The clients of ioredis that a store opens itself: for one server, for the primary that sentinels name, for a cluster.
import { Cluster, type ClusterNode, type ClusterOptions, Redis, type RedisOptions } from 'ioredis'
import { ConfigError } from '../errors'

/** Some nodes of a cluster, from which the others are learned, and options of ioredis for it. */
export interface RedisClusterOptions extends Omit<ClusterOptions, 'redisOptions'> {
  readonly nodes: ClusterNode[]
}

/** Which Redis. The parts are described where a user gives them, in redis.ts. */
export interface RedisAddress {
  readonly url?: string | undefined
  readonly options?: RedisOptions | undefined
  readonly cluster?: RedisClusterOptions | undefined
}

const backOff = (attempt: number) => Math.min(50 * 2 ** (attempt - 1), 500)

const DEFAULTS = {
  // Within two seconds of its return, Redis is in use again.
  connectTimeout: 1500,
  maxLoadingRetryTime: 500,
  retryStrategy: backOff,
  // A sentinel that has gone silent is given up, and another asked.
  sentinelCommandTimeout: 500,
  sentinelRetryStrategy: backOff,
  // A primary that was cut off comes back as if nothing had happened, until it is told. A connection that has lasted
  // through it must hear of the new one from the sentinels.
  failoverDetector: true,
  disconnectTimeout: 100,
} satisfies RedisOptions

/** Whatever the host says: a command that cannot be sent, or loses its answer, is the caller's to judge. */
const SETTLED = {
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  // A command that ioredis gave up counts as answered, and a server that has gone silent would never be left.
  commandTimeout: undefined,
  replyMapping: 'legacy',
  // With it, a client of a cluster misreads which node has which slots.
  stringNumbers: false,
} as const

/** For a connection that is used until it is lost, and never connected again. */
export const USED_ONCE = {
  ...SETTLED,
  connectTimeout: 500,
  disconnectTimeout: 100,
  retryStrategy: null,
  reconnectOnError: () => false,
  sentinelCommandTimeout: 500,
  sentinelRetryStrategy: () => null,
  failoverDetector: false,
  enableReadyCheck: true,
  enableAutoPipelining: false,
  lazyConnect: true,
  readOnly: false,
} as const

export function openRedis({ url, options, cluster }: RedisAddress): Redis | Cluster {
  if (cluster) return openCluster(cluster, options)
  // For each sentinel in turn, of which some may be gone together with the primary.
  const connectTimeout = options?.sentinels ? 500 : DEFAULTS.connectTimeout
  const settings = { host: '127.0.0.1', ...DEFAULTS, connectTimeout, ...options, ...SETTLED }
  return url === undefined ? new Redis(settings) : new Redis(url, settings)
}

function openCluster({ nodes, ...cluster }: RedisClusterOptions, options: RedisOptions = {}): Cluster {
  return new Cluster(nodes, {
    clusterRetryStrategy: backOff,
    slotsRefreshTimeout: 500,
    // While a slot has no primary: together less than the caller waits.
    retryDelayOnClusterDown: 40,
    maxRedirections: 12,
    // While a slot is moved: half a second as well, since ioredis then asks any node, and is redirected twice each time.
    retryDelayOnTryAgain: 120,
    ...cluster,
    // For a node just met, while it is being connected. The cluster itself is only asked when it is ready.
    enableOfflineQueue: true,
    // What was lost with its connection is not sent again.
    retryDelayOnFailover: 0,
    // A node that has gone silent is given up, so that what waits for it does not pile up.
    redisOptions: { ...DEFAULTS, connectTimeout: 500, socketTimeout: 1000, ...options, ...SETTLED },
  })
}

export function badOptions(option: string, fault: string, remedy: string): ConfigError {
  return new ConfigError('bad_redis_options', option, fault, remedy)
}

/**
 * Whether a server refused because it is a replica: one that may not write, or one that has lost its primary and may not
 * answer at all. A script puts words of its own before what Redis says.
 */
export function isFromReplica(error: unknown): boolean {
  return /\b(READONLY|MASTERDOWN) /.test((error as Error).message)
}
