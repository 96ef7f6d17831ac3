// A database server as a child process: who it runs as, where it keeps its files, and that nothing of it is left behind.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Options of `spawn`. Empty: as we are. */
export type User = { uid?: number; gid?: number }

/** Database servers refuse to run as root, so there they run as the user that their package made, or as `nobody`. */
export function unprivileged(name: string): User {
  if (process.getuid?.() !== 0) return {}
  const id = (flag: string, user: string) =>
    Number(execFileSync('id', [flag, user], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }))
  try {
    return { uid: id('-u', name), gid: id('-g', name) }
  } catch {
    return { uid: id('-u', 'nobody'), gid: id('-g', 'nobody') }
  }
}

export function makeDirectory(name: string, { uid, gid }: User): string {
  const directory = mkdtempSync(join(tmpdir(), `${name}-`))
  if (uid !== undefined && gid !== undefined) chownSync(directory, uid, gid)
  return directory
}

export function removeDirectory(directory: string): void {
  rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
}

/** Runs a program to its end. What it printed tells why, if it failed. */
export async function run(program: string, args: string[], user: User): Promise<void> {
  const child = spawn(program, args, { ...user, cwd: '/', stdio: ['ignore', 'pipe', 'pipe'] })
  const log = logOf(child)
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`${program} ended with ${code}:\n${log()}`)
}

/**
 * Starts a server, and waits until it has printed that it is ready.
 * @param endBy The signal by which the server takes its own children along, should we be killed.
 */
export async function serve(
  program: string,
  args: string[],
  { user, ready, directory, endBy }: { user: User; ready: RegExp; directory: string; endBy: string },
): Promise<ChildProcess> {
  const server = spawn(program, args, { ...user, cwd: '/', stdio: ['ignore', 'pipe', 'pipe'] })
  const log = logOf(server)
  endWithUs(server, directory, endBy)
  await new Promise<void>((resolve, reject) => {
    const fail = (what: string) => reject(new Error(`${program} ${what}:\n${log()}`))
    const timer = setTimeout(() => {
      server.kill('SIGKILL')
      fail('is not ready after 30 s')
    }, 30_000)
    const look = () => {
      if (!ready.test(log())) return
      clearTimeout(timer)
      resolve()
    }
    server.stdout.on('data', look)
    server.stderr.on('data', look)
    server.once('close', () => {
      clearTimeout(timer)
      fail('ended')
    })
  })
  return server
}

function logOf(child: ChildProcess): () => string {
  let log = ''
  const append = (chunk: Buffer) => {
    log = (log + chunk).slice(-4000)
  }
  child.stdout?.on('data', append)
  child.stderr?.on('data', append)
  return () => log
}

/**
 * However this process ends, also by SIGKILL, a shell sees its standard input close and takes the server along. (Jest gives
 * tests a copy of `process`, on which an `exit` listener is never called.)
 */
function endWithUs(server: ChildProcess, directory: string, signal: string): void {
  const script = `
    read -r _
    kill -s ${signal} "$1"
    for pid in "$1" $(ps -A -o pid=,ppid= | awk -v parent="$1" '$2 == parent { print $1 }'); do kill -s CONT $pid; done
    for _ in $(seq 50); do kill -s 0 "$1" 2>/dev/null || break; sleep 0.1; done
    kill -s KILL "$1" 2>/dev/null
    rm -rf "$2"`
  const guard = spawn('/bin/sh', ['-c', script, 'guard', `${server.pid}`, directory], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  server.once('exit', () => guard.kill('SIGKILL'))
}

/** Ends a server, also one that is frozen, and waits until it is gone. */
export async function end(server: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  const gone = once(server, 'exit')
  server.kill(signal)
  signalAll(server, 'SIGCONT') // a frozen process would keep the signal until it goes on
  await gone
}

/** Signals a server and the processes that it started, which may be in groups of their own. */
export function signalAll(server: ChildProcess, signal: 'SIGSTOP' | 'SIGCONT'): void {
  server.kill(signal) // first: a frozen server starts no further processes
  const processes = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n')
  for (const line of processes) {
    const [pid, parent] = line.trim().split(/\s+/).map(Number) as [number, number]
    if (parent === server.pid) tryKill(pid, signal)
  }
}

function tryKill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // Ended in the meantime.
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** Between finding a free port and a server binding it, somebody else may take it. */
export async function onFreePort<T>(start: (port: number) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(await freePort())
    } catch (error) {
      if (attempt === 5 || !/already in use/i.test(String(error))) throw error
    }
  }
}
