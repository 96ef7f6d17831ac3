import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { startRedis } from './redis-server'

const connectTo = (url: string) =>
  new Redis(url, { retryStrategy: () => null, maxRetriesPerRequest: 0 }).on('error', () => {})

/** Whether a fresh connection gets an answer soon. */
async function answers(url: string): Promise<boolean> {
  const client = connectTo(url)
  const answer = client.ping().then(
    () => true,
    () => false,
  )
  const result = await Promise.race([answer, delay(300, false)])
  if (client.status !== 'end') client.disconnect() // ioredis would wait 2 s for a connection that is gone
  return result
}

test('answers, freezes, goes on, dies and comes back on the same port', async () => {
  const redis = await startRedis()
  try {
    expect(await answers(redis.url)).toBe(true)
    redis.pause()
    expect(await answers(redis.url)).toBe(false)
    redis.resume()
    expect(await answers(redis.url)).toBe(true)
    await redis.kill()
    expect(await answers(redis.url)).toBe(false)
    await redis.restart()
    expect(await answers(redis.url)).toBe(true)
    redis.pause()
  } finally {
    await redis.stop()
  }
  expect(await answers(redis.url)).toBe(false)
})

test('forgets its data at a restart unless persistence is turned on', async () => {
  for (const [args, survives] of [
    [[], null],
    [['--appendonly', 'yes', '--appendfsync', 'always'], 'here'],
  ] as const) {
    const redis = await startRedis({ args: [...args] })
    try {
      const before = connectTo(redis.url)
      await before.set('key', 'here')
      before.disconnect()
      await redis.restart()
      const after = connectTo(redis.url)
      expect(await after.get('key')).toBe(survives)
      after.disconnect()
    } finally {
      await redis.stop()
    }
  }
})

test('ends with the process that started it, even one that is killed', async () => {
  const script = `require('${__dirname}/redis-server.ts').startRedis().then((redis) => console.log(redis.url))`
  const owner = spawn(process.execPath, ['--import', 'tsx', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = await once(owner.stdout, 'data')
  const url = String(line).trim()
  expect(await answers(url)).toBe(true)
  owner.kill('SIGKILL')
  await once(owner, 'exit')
  const deadline = Date.now() + 5000
  while ((await answers(url)) && Date.now() < deadline) await delay(50)
  expect(await answers(url)).toBe(false)
})
