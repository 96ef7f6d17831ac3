// The server that is certified: examples/oidc as its users start it, a process of its own.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { onFreePort } from '../support/server-process'

export interface Provider {
  readonly issuer: string
  readonly origin: string
  /** Where it listens, whatever its issuer is called. */
  readonly address: string
  printed(): string[]
  /** Sends SIGTERM and gives the exit code. */
  stop(): Promise<number | null>
}

/** As `npm run example:oidc` does, after its build. */
export function startProvider(env: Record<string, string> = {}): Promise<Provider> {
  return onFreePort(async (port) => {
    const child = spawn(process.execPath, ['--import', 'tsx', 'examples/oidc/server.ts'], {
      cwd: join(__dirname, '../..'),
      env: { PATH: process.env.PATH, PORT: String(port), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    await new Promise<void>((resolve, reject) => {
      const onOutput = (chunk: Buffer) => {
        output += chunk
        if (/^ready /m.test(output)) resolve()
      }
      child.stdout.on('data', onOutput)
      child.stderr.on('data', onOutput)
      child.once('exit', (code) => reject(new Error(`The provider ended with ${code}:\n${output}`)))
    })
    const issuer = env.ISSUER ?? `https://localhost:${port}/oauth`
    return {
      issuer,
      origin: new URL(issuer).origin,
      address: `https://127.0.0.1:${port}`,
      printed: () => output.split('\n'),
      stop: () => stop(child),
    }
  })
}

async function stop(child: ChildProcess): Promise<number | null> {
  const exit = once(child, 'exit')
  child.kill('SIGTERM')
  const [code] = await exit
  return code
}
