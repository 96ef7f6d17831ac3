import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { Agent, type IncomingHttpHeaders, request } from 'node:http'
import type { RedisStoreOptions, TokenRouterOptions } from '../../lib'
import { CALLBACK, CHALLENGE, CLIENTS, ES256, ISSUER, SECRET, VERIFIER } from '../support/fixture'
import { type Burst, type BurstReply, openBurst } from './burst'

/** Where a process can be made to stand still while it answers a request for tokens. */
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
  halt: undefined
  /** How often each event happened, by its type and its reason. */
  events: Record<string, number>
  inFlight: number
  /** Bytes of the heap that are in use after a garbage collection. */
  memory: number
  /** Bytes that the process has of the machine's memory. */
  rss: number
}

export interface Question {
  readonly ask: keyof Answers
  readonly point?: HaltPoint
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
  /** From now on requests for tokens stand still at this point. */
  haltAt(point: HaltPoint): Promise<void>
  /** Resolves when so many requests have come to the point. Call it before they are made. */
  halted(times: number): Promise<unknown>
  get(path: string, headers?: Record<string, string>): Promise<Reply>
  post(path: string, form: Record<string, string>): Promise<Reply>
  readonly burst: Burst
  /** A code, by GET /authorize. */
  code(more?: Record<string, string>): Promise<string>
  exchange(code: string, more?: Record<string, string>): Promise<Reply>
  refresh(token: string, more?: Record<string, string>): Promise<Reply>
  /** Sends the signal and waits until the process is gone. */
  end(signal?: NodeJS.Signals): Promise<{ code: number | null; signal: NodeJS.Signals | null }>
}

const running = new Set<TestServer>()

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
  const child = fork(`${__dirname}/server.ts`, [JSON.stringify(settings)], {
    execArgv: ['--import', 'tsx', '--expose-gc'],
  })
  const exited = once(child, 'exit')
  // An idle connection is let go before the server does so, which a request just being sent would not survive.
  const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY, timeout: 4000 })

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
    async haltAt(point) {
      const answer = next('answer')
      child.send({ ask: 'halt', point } satisfies Question)
      await answer
    },
    halted: (times) => Promise.all(Array.from({ length: times }, (_, i) => next('halted', i))),
    get: (path, headers = {}) => send('GET', path, headers),
    post(path, form) {
      const text = new URLSearchParams(form).toString()
      const headers = {
        'content-type': 'application/x-www-form-urlencoded',
        'content-length': `${Buffer.byteLength(text)}`,
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
      if (!code) throw new Error(`no code: ${status} ${headers.location ?? text}`)
      return code
    },
    exchange: (code, more) =>
      server.post('/oauth/token', {
        grant_type: 'authorization_code',
        client_id: 'spa',
        code,
        redirect_uri: CALLBACK,
        code_verifier: VERIFIER,
        ...more,
      }),
    refresh: (token, more) =>
      server.post('/oauth/token', {
        grant_type: 'refresh_token',
        client_id: 'spa',
        refresh_token: token,
        ...more,
      }),
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
})
