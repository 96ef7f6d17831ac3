import { type ChildProcess, execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, type IncomingHttpHeaders, request } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { RedisStoreOptions, TokenRouterOptions } from '../../lib'
import { CALLBACK, CHALLENGE, CLIENTS, ES256, ISSUER, SECRET, VERIFIER } from '../support/fixture'
import { type Burst, type BurstReply, openBurst } from './burst'

/** Where a request for tokens can be made to stand still. */
export type HaltPoint =
  | 'before find'
  | 'after find'
  | 'before signing'
  | 'before commit'
  | 'commit sent'
  | 'after commit'
  | 'before response'

/** Of the router's options those that fit into JSON, and what the process adds to them. */
export interface ServerOptions
  extends Omit<TokenRouterOptions, 'store' | 'findAccount' | 'authorize' | 'onEvent' | 'now'> {
  /** The Redis, by its URL or by options; without it, memory. */
  readonly redis?: string | RedisStoreOptions | undefined
  /** Whether no commit is made before SIGTERM. */
  readonly holdCommits?: boolean
}

export interface Answers {
  /** How often each event happened, by its type and its reason. */
  events: Record<string, number>
  inFlight: number
  /** What was wrong last with the store or with a function of the host, and why; empty while nothing was. */
  trouble: string
  /** Bytes of the heap, and of buffers outside it, that are in use after a garbage collection. */
  memory: number
}

export interface Question {
  readonly ask: keyof Answers
}

export type Message =
  | { readonly type: 'listening'; readonly port: number }
  | { readonly type: 'halted' }
  | { readonly type: 'answer'; readonly answer: Answers[keyof Answers] }

export interface Reply extends BurstReply {
  readonly headers: IncomingHttpHeaders
  readonly text: string
  readonly milliseconds: number
}

export interface TestServer {
  readonly url: string
  readonly process: ChildProcess
  ask<Q extends keyof Answers>(question: Q): Promise<Answers[Q]>
  /** Resolves when so many requests stand still. Call it before they are made. */
  halted(times: number): Promise<unknown>
  get(path: string, headers?: Record<string, string>): Promise<Reply>
  post(path: string, form: Record<string, string>, haltAt?: HaltPoint): Promise<Reply>
  readonly burst: Burst
  /** A code, by GET /authorize. */
  code(more?: Record<string, string>): Promise<string>
  exchange(code: string, more?: Record<string, string>, haltAt?: HaltPoint): Promise<Reply>
  refresh(token: string, more?: Record<string, string>, haltAt?: HaltPoint): Promise<Reply>
  /** Sends the signal and waits until the process is gone. */
  end(signal?: NodeJS.Signals): Promise<{ code: number | null; signal: NodeJS.Signals | null }>
}

const running = new Set<TestServer>()

let bundled: string | undefined

/** The server and all that it needs in one file, which starts four times as fast. By what tsx brings. */
function bundle(): string {
  bundled = join(mkdtempSync(join(tmpdir(), 'server-')), 'server.js')
  const esbuild = require.resolve('esbuild/bin/esbuild', { paths: [require.resolve('tsx')] })
  const options = ['--bundle', '--platform=node', '--packages=bundle', '--log-level=error']
  execFileSync(esbuild, [`${__dirname}/server.ts`, ...options, `--outfile=${bundled}`])
  return bundled
}

/** Starts server.ts, from source. Ends with the test file unless ended before. */
export async function startServer(options: Partial<ServerOptions> = {}): Promise<TestServer> {
  const settings: ServerOptions = {
    issuer: ISSUER,
    secret: SECRET,
    signingKeys: [ES256.export({ type: 'pkcs8', format: 'pem' }).toString()],
    clients: CLIENTS,
    rateLimit: false,
    ...options,
  }
  const child = fork(bundled ?? bundle(), [JSON.stringify(settings)], { execArgv: ['--expose-gc'] })
  child.setMaxListeners(0) // one for each message that is awaited
  const exited = once(child, 'exit')
  const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY })

  /** The next message of this type, but for some that come before it. */
  function next<T extends Message['type']>(type: T, skip = 0): Promise<Extract<Message, { type: T }>> {
    return new Promise((resolve, reject) => {
      const onMessage = (message: Message) => {
        if (message.type !== type || skip-- > 0) return
        child.off('message', onMessage).off('exit', onExit)
        resolve(message as Extract<Message, { type: T }>)
      }
      const onExit = () => reject(new Error(`the server ended before it was ${type}`))
      child.on('message', onMessage).on('exit', onExit)
    })
  }
  const { port } = await next('listening')
  const burst = openBurst(port)

  function send(method: string, path: string, headers: Record<string, string>, text = ''): Promise<Reply> {
    const started = performance.now()
    return new Promise((resolve, reject) => {
      const sent = request({ host: '127.0.0.1', port, method, path, headers, agent }, (response) => {
        let answer = ''
        response.setEncoding('utf8').on('data', (chunk) => {
          answer += chunk
        })
        response.on('error', reject).on('end', () =>
          resolve({
            status: response.statusCode as number,
            headers: response.headers,
            text: answer,
            body: answer.startsWith('{') ? JSON.parse(answer) : undefined,
            milliseconds: performance.now() - started,
          }),
        )
      })
      sent.on('error', reject)
      sent.end(text)
    })
  }

  const server: TestServer = {
    url: `http://127.0.0.1:${port}`,
    process: child,
    burst,
    async ask(question) {
      const answer = next('answer')
      child.send({ ask: question } satisfies Question)
      return (await answer).answer as Answers[typeof question]
    },
    halted: (times) => Promise.all(Array.from({ length: times }, (_, i) => next('halted', i))),
    get: (path, headers = {}) => send('GET', path, headers),
    post(path, form, haltAt) {
      const text = new URLSearchParams(form).toString()
      const headers = {
        'content-type': 'application/x-www-form-urlencoded',
        'content-length': `${Buffer.byteLength(text)}`,
        ...(haltAt && { 'x-halt-at': haltAt }),
      }
      return send('POST', path, headers, text)
    },
    async code(more) {
      const query = new URLSearchParams({
        response_type: 'code',
        client_id: 'spa',
        redirect_uri: CALLBACK,
        scope: 'openid offline_access',
        code_challenge: CHALLENGE,
        code_challenge_method: 'S256',
        ...more,
      })
      const { headers, status, text } = await server.get(`/oauth/authorize?${query}`)
      const code = headers.location && new URL(headers.location).searchParams.get('code')
      if (!code)
        throw new Error(`no code: ${status} ${headers.location ?? text} ${await server.ask('trouble')}`)
      return code
    },
    exchange: (code, more, haltAt) =>
      server.post(
        '/oauth/token',
        {
          grant_type: 'authorization_code',
          client_id: 'spa',
          code,
          redirect_uri: CALLBACK,
          code_verifier: VERIFIER,
          ...more,
        },
        haltAt,
      ),
    refresh: (token, more, haltAt) =>
      server.post(
        '/oauth/token',
        { grant_type: 'refresh_token', client_id: 'spa', refresh_token: token, ...more },
        haltAt,
      ),
    async end(signal = 'SIGKILL') {
      child.kill(signal)
      const [code, by] = await exited
      running.delete(server)
      agent.destroy()
      burst.close()
      return { code, signal: by }
    },
  }
  running.add(server)
  return server
}

afterAll(async () => {
  await Promise.all([...running].map((server) => server.end()))
  if (bundled !== undefined) rmSync(dirname(bundled), { recursive: true })
})
