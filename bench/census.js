// What one server does to Redis: commands and round trips of a request, bytes of a grant and of each rotation.
import { load } from './load.js'

const ROTATIONS = 3
const REQUESTS = 100

/**
 * Bytes that a grant takes in Redis, its indexes included, and how many more each rotation adds. Redis is emptied first:
 * nobody else may use it.
 */
export async function countBytes(server, scenario, redis, grants) {
  await redis.redis.flushall()
  const empty = await redis.usedMemory()
  const tokens = await server.issueCodes(Array.from({ length: grants }, (_, i) => `user-${i}`))
  await load(server, { ...scenario, step: 'code' }, tokens, {})
  const begun = await settled(redis)
  await load(server, scenario, tokens, { count: grants * ROTATIONS })
  const rotated = await settled(redis)
  return { perGrant: (begun - empty) / grants, perRotation: (rotated - begun) / (grants * ROTATIONS) }
}

/** With one request in flight, so that each time Redis reads it is one round trip. */
export async function countCommands(server, scenario, redis) {
  const tokens = await server.issueCodes(Array.from({ length: REQUESTS }, (_, i) => `user-${i}`))
  if (scenario.step !== 'code') await load(server, { ...scenario, step: 'code' }, tokens, { connections: 1 })
  const monitor = await redis.redis.monitor()
  const commands = { sent: 0, inScripts: 0 }
  monitor.on('monitor', (_time, [name], source) => {
    if (source === 'lua') commands.inScripts++
    else if (name.toLowerCase() !== 'info') commands.sent++
  })
  const reads = await redis.reads()
  await load(server, scenario, tokens, { count: REQUESTS, connections: 1 })
  const readsAfter = await redis.reads()
  monitor.disconnect()
  return {
    commands: commands.sent / REQUESTS,
    commandsInScripts: commands.inScripts / REQUESTS,
    roundTrips: Math.round((10 * (readsAfter - reads - 1)) / REQUESTS) / 10,
  }
}

/** Memory without what would be gone within a minute: redeemed codes that wait for their end. */
async function settled(redis) {
  let cursor = '0'
  do {
    const [next, keys] = await redis.redis.scan(cursor, 'COUNT', 1000)
    cursor = next
    const left = await Promise.all(keys.map((key) => redis.redis.pttl(key)))
    const short = keys.filter((_, i) => left[i] >= 0 && left[i] <= 60_000)
    if (short.length > 0) await redis.redis.del(...short)
  } while (cursor !== '0')
  return redis.usedMemory()
}
