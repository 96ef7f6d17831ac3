import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { locate } from '../../scripts/requirements.mjs'

export interface RedisServer {
  url: string
  port: number
  /** Ends the server and removes its directory. May be called twice. */
  stop(): Promise<void>
  /** Sends the signal and waits until the process is gone. The directory stays, for `restart`. */
  kill(signal?: 'SIGKILL' | 'SIGTERM'): Promise<void>
  /** Freezes the process: connections stay open, nothing is answered. */
  pause(): void
  resume(): void
  /** Same port, same directory. Data survives only if `args` turn persistence on; `more` are for this time only. */
  restart(more?: string[]): Promise<void>
}

export interface RedisServerOptions {
  args?: string[]
  /** The lines of a configuration file, for a server that writes into it: a sentinel. */
  config?: string
}

/** A real Redis on a free port of 127.0.0.1, without persistence unless `args` (`['--appendonly', 'yes']`) say otherwise. */
export async function startRedis({ args = [], config }: RedisServerOptions = {}): Promise<RedisServer> {
  const directory = mkdtempSync(join(tmpdir(), 'redis-'))
  const file = join(directory, 'redis.conf')
  if (config !== undefined) writeFileSync(file, config)
  const first = config === undefined ? args : [file, ...args]
  const start = (port: number, more: string[] = []) => launch(port, directory, [...first, ...more])

  let port = 0
  let server: ChildProcess | undefined
  // Between finding a free port and Redis binding it, somebody else may take it.
  for (let attempt = 1; server === undefined; attempt++) {
    port = await freePort()
    try {
      server = await start(port)
    } catch (error) {
      // Of a cluster, a second port has to be free as well, and in range: the one 10000 above.
      if (attempt < 10 && /already in use|port number too high|failed listening/i.test(String(error)))
        continue
      rmSync(directory, { recursive: true, force: true })
      throw error
    }
  }

  let current = server
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    async stop() {
      await end(current, 'SIGKILL')
      rmSync(directory, { recursive: true, force: true })
    },
    kill: (signal = 'SIGKILL') => end(current, signal),
    pause: () => void current.kill('SIGSTOP'),
    resume: () => void current.kill('SIGCONT'),
    async restart(more) {
      await end(current, 'SIGTERM')
      current = await start(port, more)
    },
  }
}

async function launch(port: number, directory: string, args: string[]): Promise<ChildProcess> {
  const settings = [
    '--port',
    `${port}`,
    '--bind',
    '127.0.0.1',
    '--dir',
    directory,
    '--save',
    '',
    '--appendonly',
    'no',
  ]
  // A configuration file comes first.
  const all = args[0]?.startsWith('/') ? [args[0], ...settings, ...args.slice(1)] : [...settings, ...args]
  const server = spawn(locate('redis-server'), all, { stdio: ['ignore', 'pipe', 'pipe'] })
  let log = ''
  for (const stream of [server.stdout, server.stderr]) {
    stream.on('data', (chunk) => {
      log = (log + chunk).slice(-4000)
    })
  }
  endWithUs(server, directory)
  const deadline = Date.now() + 10_000
  while (!(await answersPing(port))) {
    if (hasEnded(server)) throw new Error(`redis-server ended:\n${log}`)
    if (Date.now() > deadline) {
      await end(server, 'SIGKILL')
      throw new Error(`redis-server does not answer:\n${log}`)
    }
    await delay(20)
  }
  // Somebody else's Redis may have answered on that port, while ours found it taken and ended.
  if (hasEnded(server)) throw new Error(`redis-server ended:\n${log}`)
  return server
}

/**
 * However this process ends, also by SIGKILL, a shell sees its standard input close and takes the server along. (Jest gives
 * tests a copy of `process`, on which an `exit` listener is never called.)
 */
function endWithUs(server: ChildProcess, directory: string): void {
  const script = 'read -r _; kill -9 "$1"; rm -rf "$2"'
  const guard = spawn('/bin/sh', ['-c', script, 'guard', `${server.pid}`, directory], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  server.once('exit', () => guard.kill('SIGKILL'))
}

const hasEnded = (server: ChildProcess) => server.exitCode !== null || server.signalCode !== null

async function end(server: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (hasEnded(server)) return
  const gone = once(server, 'exit')
  server.kill(signal)
  server.kill('SIGCONT') // a paused process would keep the signal until it is resumed
  await gone
}

function answersPing(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'))
    socket.setTimeout(1000, () => socket.destroy())
    // With a password set, Redis is up as soon as it asks for it.
    socket.once('data', (answer) => {
      resolve(/^(\+PONG|-NOAUTH)/.test(answer.toString()))
      socket.destroy()
    })
    socket.once('error', () => resolve(false))
    socket.once('close', () => resolve(false))
  })
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** Connections to several servers, past what is tested. They come back by themselves. */
export function openAdmin(): { ask(server: RedisServer): Redis; close(): void } {
  const connections = new Map<RedisServer, Redis>()
  return {
    ask(server) {
      let connection = connections.get(server)
      if (!connection) {
        const settings = { retryStrategy: () => 50, disconnectTimeout: 50, enableReadyCheck: false }
        connection = new Redis(server.url, settings).on('error', () => {})
        connections.set(server, connection)
      }
      return connection
    },
    close() {
      for (const connection of connections.values()) connection.disconnect()
    },
  }
}

export async function until(what: string, check: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000
  while (!(await check().catch(() => false))) {
    if (performance.now() > deadline) throw new Error(`not ${what} after 20 s`)
    await delay(20)
  }
}
