// Starts one server in a process of its own, pinned to a core.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const PROCESS = fileURLToPath(new URL('server-process.js', import.meta.url))

/** `cores` as taskset has them; `onOutput` gets what the server prints. */
export async function startServer(server, options, { cores = '0', nodeArguments = [], onOutput } = {}) {
  const command = [process.execPath, ...nodeArguments, PROCESS]
  const child = spawn('taskset', ['-c', cores, ...command], {
    env: { ...process.env, NODE_ENV: 'production' },
    stdio: ['ignore', onOutput ? 'pipe' : 'inherit', 'inherit', 'ipc'],
  })
  if (onOutput) child.stdout.setEncoding('utf8').on('data', onOutput)
  let stopping = false
  child.once('exit', (code, signal) => {
    if (!stopping) throw new Error(`the server ${server} ended by itself: ${signal ?? code}`)
  })
  child.send({ server, options })
  const [{ port, path }] = await once(child, 'message')

  async function ask(command, given = {}) {
    child.send({ command, ...given })
    const [{ result }] = await once(child, 'message')
    return result
  }

  return {
    port,
    path,
    pid: child.pid,
    issueCodes: (subjects) => ask('issueCodes', { subjects }),
    /** Keeps that many grants of other users in the store of this library. */
    fill: (count) => ask('fill', { count }),
    /** Begins to measure itself, in slices of so many requests. */
    measure: (requests = 256) => ask('measure', { requests }),
    measured: () => ask('measured'),
    /** Bytes of the heap that are left after a collection; with `--expose-gc`. */
    live: () => ask('live'),
    /** In bytes, the most that it ever had. */
    peakMemory: () =>
      Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))[1]) * 1024,
    async stop() {
      stopping = true
      const gone = once(child, 'exit')
      child.disconnect()
      await gone
    },
  }
}
