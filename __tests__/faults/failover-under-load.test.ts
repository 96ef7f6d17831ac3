// 300 requests a second while a primary is lost and replaced, and while slots move from node to node.
import { setTimeout as delay } from 'node:timers/promises'
import { subjectKey } from '../../lib/tokens/link'
import { ISSUER } from '../support/fixture'
import { startCluster } from '../support/redis-cluster'
import { startSentinel } from '../support/redis-sentinel'
import type { RedisServer } from '../support/redis-server'
import { expectToHold, PER_SECOND, startLoaded } from './hold-under-load'
import { USERS } from './load'

// A redemption and a revocation wait for a replica: then even a failover gives no code twice, and nothing back.
const waitForReplicas = { count: 1 }

const opened: { stop(): Promise<void> }[] = []
afterEach(async () => {
  await Promise.all(opened.splice(0).map((redis) => redis.stop()))
})

function open<T extends { stop(): Promise<void> }>(redis: T): T {
  opened.push(redis)
  return redis
}

describe(`${PER_SECOND} requests a second: tokens or 503, in time, nobody is logged out, no code is redeemed twice`, () => {
  it('the primary is killed, and sentinels replace it', async () => {
    const redis = open(await startSentinel())
    const { sentinels, name } = redis
    const loaded = await startLoaded({ options: { sentinels, name }, waitForReplicas })
    let killed: RedisServer | undefined
    await expectToHold(loaded, {
      async begin() {
        killed = await redis.primary()
        await killed.kill()
      },
      end: () => redis.failedOver(killed as RedisServer),
    })
    await loaded.server.end()
  }, 90_000)

  it('a primary of a cluster is killed, and its replica takes over', async () => {
    const redis = open(await startCluster())
    const loaded = await startLoaded({ cluster: { nodes: redis.nodes }, waitForReplicas })
    let killed: RedisServer | undefined
    await expectToHold(loaded, {
      async begin() {
        killed = (await redis.ownerOf(slotOf(0))).primary
        await killed.kill()
      },
      async end() {
        while ((await redis.ownerOf(slotOf(0))).primary === killed) await delay(20)
        // Without a replica nothing can wait for one.
        await killed?.restart()
        await redis.healed()
      },
    })
    await loaded.server.end()
  }, 90_000)

  it('slots move from node to node, with all grants of their users, and nobody notices', async () => {
    const redis = open(await startCluster())
    const loaded = await startLoaded({ cluster: { nodes: redis.nodes } })
    const told = async (error: string) => {
      const stats = await Promise.all(
        redis.nodes.map(async (_node, i) => {
          const { primary, replicas } = await redis.ownerOf(Math.floor((i * 16384) / redis.nodes.length))
          const servers = [primary, ...replicas]
          return Promise.all(servers.map((server) => redis.ask(server).info('errorstats')))
        }),
      )
      return stats.flat().some((stat) => stat.includes(`errorstat_${error}:`))
    }
    let moving: Promise<void> | undefined
    let ended = false
    await expectToHold(
      loaded,
      {
        begin() {
          moving = (async () => {
            for (let i = 0; !ended; i++) {
              const user = { subject: USERS[i % USERS.length] as string, scope: 'offline_access' }
              const slot = slotOf(i % USERS.length)
              const code = await loaded.server.code(user)
              const move = await redis.beginMove(slot)
              // A grant that is not there yet, with an index that is: nowhere for now (TRYAGAIN).
              const another = loaded.server.code(user)
              await delay(60)
              await redis.moveKeys(slot, move)
              // One that is at the other node already, which only the first can tell (ASK).
              expect((await loaded.server.exchange(code)).status).toBe(200)
              await redis.endMove(slot, move)
              expect((await loaded.server.exchange(await another)).status).toBe(200)
            }
          })()
        },
        async end() {
          ended = true
          await moving
        },
      },
      false,
    )
    expect(await told('TRYAGAIN')).toBe(true)
    expect(await told('ASK')).toBe(true)
    expect(await told('MOVED')).toBe(true)
    await loaded.server.end()
  }, 90_000)
})

/** Where all grants of one of the users are: their keys have the user's partition in braces. */
function slotOf(user: number): number {
  return crc16(subjectKey(ISSUER, USERS[user] as string).slice(0, 4)) % 16384
}

/** As a cluster of Redis has it: CRC-16/XMODEM. */
function crc16(text: string): number {
  let crc = 0
  for (const byte of Buffer.from(text)) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++)
      crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff
  }
  return crc
}
