import type { ChildProcess } from 'node:child_process'
import { realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { locate } from '../../scripts/requirements.mjs'
import {
  end,
  makeDirectory,
  onFreePort,
  removeDirectory,
  run,
  serve,
  signalAll,
  unprivileged,
} from './server-process'

export interface PostgresServer {
  url: string
  port: number
  /** Ends the server and removes its directory. May be called twice. */
  stop(): Promise<void>
  /** Ends the server at once, as a crash does. The directory stays, for `restart`. */
  kill(): Promise<void>
  /** Freezes all its processes: connections stay open, nothing is answered. */
  pause(): void
  resume(): void
  /** Same port, same data. */
  restart(): Promise<void>
}

/** A real PostgreSQL on a free port of 127.0.0.1, with an empty database. It does not wait for disks. */
export async function startPostgres(): Promise<PostgresServer> {
  const user = unprivileged('postgres')
  const directory = makeDirectory('postgres', user)
  const program = realpathSync(locate('postgres'))
  const start = (port: number) => launch(program, port, directory, user)
  try {
    const initialize = ['--no-locale', '--encoding', 'UTF8', '--auth', 'trust', '--username', 'postgres']
    await run(join(dirname(program), 'initdb'), [...initialize, '--no-sync', '--pgdata', directory], user)
    const started = await onFreePort(async (port) => ({ port, server: await start(port) }))
    return control(started.port, started.server, start, directory)
  } catch (error) {
    removeDirectory(directory)
    throw error
  }
}

function control(
  port: number,
  server: ChildProcess,
  start: (port: number) => Promise<ChildProcess>,
  directory: string,
): PostgresServer {
  let current = server
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    port,
    async stop() {
      await end(current, 'SIGQUIT')
      removeDirectory(directory)
    },
    kill: () => end(current, 'SIGQUIT'),
    pause: () => signalAll(current, 'SIGSTOP'),
    resume: () => signalAll(current, 'SIGCONT'),
    async restart() {
      await end(current, 'SIGINT')
      current = await start(port)
    },
  }
}

function launch(
  program: string,
  port: number,
  directory: string,
  user: ReturnType<typeof unprivileged>,
): Promise<ChildProcess> {
  const settings = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    fsync: 'off',
    full_page_writes: 'off',
    shared_buffers: '64MB',
    max_connections: 60,
  }
  const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const ready = /ready to accept connections/
  // SIGQUIT ends a server and its backends at once; SIGKILL would leave the backends to find out.
  return serve(program, ['-D', directory, ...args], { user, ready, directory, endBy: 'QUIT' })
}
