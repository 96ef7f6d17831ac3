// 300 requests a second while Redis is in trouble, from a real server in a process of its own. All are answered in time,
// with tokens or 503; nobody is logged out; no code is redeemed twice; and all is well again soon after the fault.
import { setTimeout as delay } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { startServer, type TestServer } from '../processes/start-server'
import { type Answered, Load } from './load'
import { ALL, BACK_WITHIN, FAULTS, type Fault, PERSISTENT, type Place, startPlace } from './redis-faults'

const PER_SECOND = 300
const BEFORE = 500
const DURING = 2000
const AFTER = 1000

/** By how much the memory of the server may have grown from the middle of a fault to its end. */
const FLAT = 30_000_000

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

interface Running {
  readonly place: Place
  readonly server: TestServer
  readonly load: Load
}

async function start(args?: string[]): Promise<Running> {
  const place = await startPlace(args)
  if (args) await becomeCluster(place.admin)
  const server = await startServer({ redis: place.proxy.url, lifetimes: { codeSeconds: 600 } })
  return { place, server, load: await Load.prepare(server, PER_SECOND) }
}

async function end({ place, server }: Running): Promise<void> {
  await server.end()
  await place.close()
}

/** Answers to refreshes, which need all of Redis, are the measure of when it is back. */
const shows = (removed: number) => (one: Answered) =>
  one.kind === 'refresh' && one.sent > removed && one.said === 'works'

/** Has the load on before, during and after a fault, and tells the moments of it, and by how much the memory grew. */
async function loadDuring({ begin, end }: Fault, { place, server, load }: Running) {
  await load.provide((BEFORE + DURING + BACK_WITHIN + AFTER) / 1000)
  load.start()
  await delay(BEFORE)

  const begun = performance.now()
  await begin(place)
  await delay(DURING / 2)
  const before = await server.ask('rss')
  await delay(DURING / 2)
  await end(place)
  const removed = performance.now()

  while (!load.answered.some(shows(removed)) && performance.now() < removed + BACK_WITHIN) await delay(10)
  await delay(AFTER)
  const grown = (await server.ask('rss')) - before
  await load.stop()
  return { begun, removed, grown }
}

async function expectTroubleAndRecovery(fault: Fault, running: Running): Promise<void> {
  const { begun, removed, grown } = await loadDuring(fault, running)
  const { answered } = running.load
  const during = answered.filter(({ sent }) => sent > begun && sent < removed)
  const back = answered.find(shows(removed))?.at ?? Number.POSITIVE_INFINITY
  const later = answered.filter(({ sent }) => sent > back)

  expect(await running.load.faults()).toEqual([])
  expect(during.length).toBeGreaterThan(0.9 * PER_SECOND * (DURING / 1000))
  expect(during.filter(({ said }) => said === 'unavailable').length).toBeGreaterThan(0)
  expect(back - removed).toBeLessThan(BACK_WITHIN)
  expect(later.length).toBeGreaterThan(0.5 * PER_SECOND * (AFTER / 1000))
  expect(later.filter(({ said }) => said !== 'works')).toEqual([])
  expect(grown).toBeLessThan(FLAT)
}

describe(`${PER_SECOND} requests a second: tokens or 503, in time, nobody is logged out, and all is well soon after`, () => {
  let running: Running

  beforeAll(async () => {
    running = await start()
  }, 60_000)

  afterAll(() => end(running))

  it.each([...FAULTS.filter(({ works }) => works !== ALL), ...MORE])('Redis $title', (fault) =>
    expectTroubleAndRecovery(fault, running),
  )

  it.each(UNNOTICED)('Redis $title, and nobody notices', async (fault) => {
    const { begun, removed, grown } = await loadDuring(fault, running)
    const { answered } = running.load
    expect(await running.load.faults()).toEqual([])
    expect(answered.filter(({ said }) => said !== 'works')).toEqual([])
    expect(answered.filter(({ sent }) => sent > begun && sent < removed).length).toBeGreaterThan(PER_SECOND)
    expect(grown).toBeLessThan(FLAT)
  })
})

test(`the same where a ${LONE_NODE.title}`, async () => {
  const running = await start(['--cluster-enabled', 'yes', ...PERSISTENT])
  await expectTroubleAndRecovery(LONE_NODE, running)
  await end(running)
}, 60_000)
