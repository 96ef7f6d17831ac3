// 300 requests a second while one Redis is in trouble. See also failover-under-load.test.ts.
import { setTimeout as delay } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { expectToHold, type Loaded, PER_SECOND, startLoaded } from './hold-under-load'
import { ALL, FAULTS, type Fault, PERSISTENT, type Place, startPlace } from './redis-faults'

/** Begins again and again until it ends. */
function repeatedly(title: string, pause: number, cause: (place: Place) => unknown): Fault {
  let going: Promise<void> | undefined
  let ended = false
  return {
    title,
    begin(place) {
      ended = false
      going = (async () => {
        while (!ended) {
          await cause(place)
          await delay(pause)
        }
      })()
    },
    async end() {
      ended = true
      await going
    },
  }
}

let loaded: Promise<void>

const MORE: Fault[] = [
  repeatedly('is killed and restarted, again and again', 300, async ({ redis }) => {
    await redis.kill()
    await redis.restart()
  }),
  repeatedly('loses all connections every 100 ms', 100, ({ proxy }) => proxy.cut()),
  {
    title: 'loads its data for a second and a half (LOADING)',
    async begin({ redis, admin }) {
      await admin.bgrewriteaof()
      while (/aof_rewrite_(in_progress|scheduled):1/.test(await admin.info('persistence'))) await delay(10)
      const microseconds = Math.ceil(1_500_000 / (await admin.dbsize()))
      // Without the second it would rather say nothing at all until it has read two megabytes.
      loaded = redis.restart([
        '--key-load-delay',
        `${microseconds}`,
        '--loading-process-events-interval-bytes',
        '1024',
      ])
    },
    end: () => loaded,
  },
]

const UNNOTICED: Fault[] = [
  repeatedly('forgets its scripts every 100 ms (SCRIPT FLUSH)', 100, ({ admin }) => admin.script('FLUSH')),
]

const LATE: Fault = {
  title: 'takes 0.3 s for each answer',
  begin: ({ proxy }) => {
    proxy.mode = 'late'
  },
  end: ({ proxy }) => {
    proxy.mode = 'pass'
  },
}

/** What only nodes of a cluster say. This one is a whole cluster by itself. */
const ALL_SLOTS = ['0', '16383']
const LONE_NODE: Fault = {
  title: 'node has lost its part of the cluster (CLUSTERDOWN)',
  begin: ({ admin }) => admin.call('CLUSTER', 'DELSLOTSRANGE', ...ALL_SLOTS),
  end: ({ admin }) => becomeCluster(admin),
}

async function becomeCluster(admin: Redis): Promise<void> {
  await admin.call('CLUSTER', 'ADDSLOTSRANGE', ...ALL_SLOTS)
  while (!/cluster_state:ok/.test(String(await admin.call('CLUSTER', 'INFO')))) await delay(10)
}

interface Running extends Loaded {
  readonly place: Place
}

async function start(args?: string[]): Promise<Running> {
  const place = await startPlace(args)
  if (args) await becomeCluster(place.admin)
  return { place, ...(await startLoaded(place.proxy.url)) }
}

async function stop({ place, server }: Running): Promise<void> {
  await server.end()
  await place.close()
}

function hold({ begin, end }: Fault, running: Running, noticed?: boolean): Promise<void> {
  const { place } = running
  return expectToHold(running, { begin: () => begin(place), end: () => end(place) }, noticed)
}

describe(`${PER_SECOND} requests a second: tokens or 503, in time, nobody is logged out, and all is well soon after`, () => {
  let running: Running

  beforeAll(async () => {
    running = await start()
  }, 60_000)

  afterAll(() => stop(running))

  it.each([...FAULTS.filter(({ works }) => works !== ALL), ...MORE])('Redis $title', (fault) =>
    hold(fault, running),
  )

  it.each(UNNOTICED)('Redis $title, and nobody notices', (fault) => hold(fault, running, false))
})

// On a server of its own, where no user has 100 grants yet: to make room takes three answers, and is told 503.
test(`Redis ${LATE.title}, and nobody notices`, async () => {
  const running = await start()
  await hold(LATE, running, false)
  await stop(running)
}, 60_000)

test(`the same where a ${LONE_NODE.title}`, async () => {
  const running = await start(['--cluster-enabled', 'yes', ...PERSISTENT])
  await hold(LONE_NODE, running)
  await stop(running)
}, 60_000)
