import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
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

/** A real Redis on a free port of 127.0.0.1, without persistence unless `args` (`['--appendonly', 'yes']`) say otherwise. */
export async function startRedis(options: { args?: string[] } = {}): Promise<RedisServer> {
  const directory = mkdtempSync(join(tmpdir(), 'redis-'))
  const start = (port: number, more: string[] = []) =>
    launch(port, directory, [...(options.args ?? []), ...more])

  let port = 0
  let server: ChildProcess | undefined
  // Between finding a free port and Redis binding it, somebody else may take it.
  for (let attempt = 1; server === undefined; attempt++) {
    port = await freePort()
    try {
      server = await start(port)
    } catch (error) {
      if (attempt < 5 && /already in use/i.test(String(error))) continue
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
  const server = spawn(locate('redis-server'), [...settings, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
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
