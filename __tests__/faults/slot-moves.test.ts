// Slots of a cluster move to and fro under load, key by key as `redis-cli --cluster reshard` does it. Nodes answer with
// MOVED and ASK, and with TRYAGAIN where a user's grant is here and the index there: the callers notice nothing.
import { setTimeout as delay } from 'node:timers/promises'
import { Cluster } from 'ioredis'
import { redisStore, type TokenStore, type WaitForReplicas } from '../../lib'
import { aGrant, randomId } from '../support/grants'
import { watchProcessor } from '../support/processor'
import { type RedisCluster, startCluster } from '../support/redis-cluster'
import { until } from '../support/redis-server'

/** All users of these tests are in a few slots, so that each move is in the way of many. */
const PARTITIONS = ['0000', '4b1d', '9c2e', 'ffff']

/** Each a call every 100 ms: 300 each second. */
const WORKERS = 30
const EVERY = 100

/** Milliseconds: a router gives up after 700. Besides, as long as this process had to wait for a processor. */
const ANSWERED_WITHIN = 700

let cluster: RedisCluster
beforeAll(async () => {
  cluster = await startCluster()
})
afterAll(() => cluster.stop())

/** A life of a grant, and of a short-lived key: each call is checked against what it must answer. */
async function* live(store: TokenStore, partition: string): AsyncGenerator<void> {
  const [key, subject] = [`${partition}.${randomId()}`, `${partition}.${randomId()}`]
  const grant = { key, subject, client: 'client', data: 'data', link: 0, expiresIn: 60, endsIn: 60 }
  const move = (to: number) => ({ op: randomId(), to, expiresIn: 60 })
  yield await store.insert(grant)
  yield expect(await store.find(key)).toMatchObject({ link: 0 })
  yield expect(await store.advance(key, 0, move(1))).toBe(true)
  yield expect(await store.advance(key, 0, move(1))).toBe(false)
  yield expect(await store.advance(key, 1, move(2))).toBe(true)
  yield expect((await store.list(subject)).grants).toMatchObject([{ key, link: 2 }])
  yield expect(await store.put(key, 'value', 60)).toBe(true)
  yield expect(await store.take(key)).toBe('value')
  yield await store.insert({ ...grant, key: `${partition}.${randomId()}` })
  yield expect(await store.revoke(key)).toBe(true)
  yield expect(await store.find(key)).toBeUndefined()
  yield expect(await store.revokeAll(subject)).toBe(1)
}

function startLoad(store: TokenStore) {
  const failures: unknown[] = []
  const calls: { from: number; to: number }[] = []
  const processor = watchProcessor([process.pid])
  let stopping = false
  const workers = Array.from({ length: WORKERS }, async (_, i) => {
    await delay((i * EVERY) / WORKERS)
    while (!stopping) {
      const life = live(store, PARTITIONS[i % PARTITIONS.length] as string)
      for (let done: boolean | undefined; !done; ) {
        const from = performance.now()
        try {
          done = (await life.next()).done
        } catch (error) {
          failures.push(error)
          done = true
        }
        const to = performance.now()
        calls.push({ from, to })
        await delay(Math.max(0, EVERY - (to - from)))
      }
    }
  })
  return {
    async stop() {
      stopping = true
      await Promise.all(workers)
      processor.stop()
      const late = ({ from, to }: (typeof calls)[0]) =>
        to - from > ANSWERED_WITHIN + processor.waited(from, to)
      return { failures, late: calls.filter(late), calls: calls.length }
    },
  }
}

const BOTH_WAYS: [string, WaitForReplicas | undefined][] = [
  ['without waiting', undefined],
  ['waiting for the replica', { count: 1, timeoutSeconds: 0.6 }],
]

test.each(BOTH_WAYS)(
  'slots move to and fro at 300 calls each second, and nobody notices (%s)',
  async (_, waitForReplicas) => {
    const store = redisStore({ cluster: { nodes: cluster.nodes.slice(0, 2) }, waitForReplicas })
    await cluster.errors()
    const load = startLoad(store)
    try {
      await delay(500)
      for (let round = 0; round < 2; round++) {
        for (const partition of PARTITIONS) {
          const slot = await cluster.slotOf(`oauth:{${partition}}`)
          const move = await cluster.beginMove(slot)
          await delay(30)
          await cluster.moveKeys(slot, move, { atATime: 1, pause: 3 })
          await delay(30)
          await cluster.endMove(slot, move)
          await delay(30)
        }
      }
    } finally {
      const { failures, late, calls } = await load.stop()
      await store.close()
      expect(failures).toEqual([])
      expect(late).toEqual([])
      expect(calls).toBeGreaterThan(300)
    }
    // All of it was seen, or this proves nothing.
    const seen = await cluster.errors()
    for (const word of ['MOVED', 'ASK', 'TRYAGAIN']) expect(seen).toContain(word)
  },
)

/** Milliseconds. What is promised is half a second: time enough to end the move on a busy machine. */
const HALF_MOVED_FOR = 300

test.each(BOTH_WAYS)(
  'what is half moved is waited for: a grant is there, its index here (%s)',
  async (_, waitForReplicas) => {
    const store = redisStore({ cluster: { nodes: cluster.nodes }, waitForReplicas })
    const grant = aGrant({ subject: `1234.${randomId()}` })
    await store.insert(grant)

    const slot = await cluster.slotOf('{1234}')
    const move = await cluster.beginMove(slot)
    await cluster.errors()
    await cluster.moveKey(`oauth:{1234}${grant.key.slice(5)}`, move)
    const [revoked, halfMoved] = [store.revoke(grant.key), delay(HALF_MOVED_FOR)]
    await until('half moved', async () => (await cluster.errors()).includes('TRYAGAIN'))
    await halfMoved
    await cluster.moveKeys(slot, move)
    await cluster.endMove(slot, move)
    expect(await revoked).toBe(true)
    expect((await store.list(grant.subject)).grants).toEqual([])
    await store.close()
  },
)

test('what is half moved is waited for: the index of a new grant is there, its slot is here', async () => {
  const store = redisStore({ cluster: { nodes: cluster.nodes } })
  const subject = `1234.${randomId()}`
  const [grant, another] = [aGrant({ subject }), aGrant({ subject })]
  await store.insert(grant)

  const slot = await cluster.slotOf('{1234}')
  const move = await cluster.beginMove(slot)
  await cluster.moveKeys(slot, move)
  await cluster.errors()
  const [inserted, halfMoved] = [store.insert(another), delay(HALF_MOVED_FOR)]
  await until('half moved', async () => (await cluster.errors()).includes('TRYAGAIN'))
  await halfMoved
  await cluster.endMove(slot, move)
  await inserted
  const keys = (await store.list(subject)).grants.map(({ key }) => key)
  expect(keys.sort()).toEqual([grant.key, another.key].sort())
  await store.close()
})

test('a store that is closed while a node says to come again opens no connection any more', async () => {
  const connectionName = `closed-${randomId()}`
  const client = new Cluster(cluster.nodes, { redisOptions: { connectionName } })
  const store = redisStore({ client, waitForReplicas: { count: 1, timeoutSeconds: 0.6 } })
  const [key, subject] = [`1234.${randomId()}`, `1234.${randomId()}`]
  await store.insert({ key, subject, client: 'client', data: 'data', link: 0, expiresIn: 60, endsIn: 60 })
  await store.revoke(`1234.${randomId()}`)

  const slot = await cluster.slotOf('{1234}')
  const move = await cluster.beginMove(slot)
  await cluster.errors()
  await cluster.moveKey(`oauth:{1234}${key.slice(5)}`, move)
  const revoked = store.revoke(key)
  await Promise.all([
    expect(revoked).rejects.toThrow(),
    until('half moved', async () => (await cluster.errors()).includes('TRYAGAIN')).then(() => store.close()),
  ])
  client.disconnect()
  const connected = async () => {
    const { primary } = await cluster.ownerOf(slot)
    return String(await cluster.ask(primary).client('LIST')).includes(connectionName)
  }
  await until('left', async () => !(await connected()))
  await cluster.moveKeys(slot, move)
  await cluster.endMove(slot, move)
})
