// A Redis of the bench's own, on a free port, without persistence, and what it counts.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { Redis } from 'ioredis'

export async function startRedis({ core = '1' } = {}) {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address()
  probe.close()
  await once(probe, 'close')

  const settings = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
  const server = spawn('taskset', ['-c', core, 'redis-server', ...settings], { stdio: 'ignore' })
  process.once('exit', () => server.kill('SIGKILL'))
  const url = `redis://127.0.0.1:${port}`
  const redis = new Redis(url, { retryStrategy: () => 50, maxRetriesPerRequest: 100 })
  redis.on('error', () => {}) // not up yet
  await redis.ping()

  const info = async (section, name) =>
    Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(await redis.info(section))[1])

  return {
    url,
    redis,
    usedMemory: () => info('memory', 'used_memory'),
    /** Seconds. */
    cpu: async () => (await info('cpu', 'used_cpu_user')) + (await info('cpu', 'used_cpu_sys')),
    /** How often it read from a connection: with one request in flight, the round trips. */
    reads: () => info('stats', 'total_reads_processed'),
    version: async () => /^redis_version:(.*)\r$/m.exec(await redis.info('server'))[1],
    async stop() {
      const gone = once(server, 'exit')
      redis.disconnect()
      server.kill('SIGKILL')
      await gone
    },
  }
}
