// A host app in a process of its own, with the router on a store that other processes share. What it is to be comes as
// its argument; what happens in it is told by messages. A test starts it with start-server.ts.
import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { createTokenRouter, memoryStore, redisStore, type TokenStore } from '../../lib'
import type { Answers, HaltPoint, Message, Question, ServerOptions } from './start-server'

const { redis, holdCommits, ...options }: ServerOptions = JSON.parse(process.argv[2] as string)
const tell = (message: Message) => process.send?.(message)

const terminated = once(process, 'SIGTERM')
/** Where the request that is being answered shall stand still. */
const halting = new AsyncLocalStorage<HaltPoint | undefined>()
let inFlight = 0
const events: Record<string, number> = {}
let trouble = ''

/** The request stands still where the test wants it to, and waits for the process to be killed. */
function reach(point: HaltPoint): Promise<void> | undefined {
  if (halting.getStore() !== point) return undefined
  tell({ type: 'halted' })
  return new Promise(() => {})
}

function reasonsOf(error: unknown): string {
  return error instanceof Error
    ? [error.message, reasonsOf(error.cause)].filter(Boolean).join(' Because: ')
    : ''
}

const real =
  redis === undefined ? memoryStore() : redisStore(typeof redis === 'string' ? { url: redis } : redis)
const store: TokenStore = {
  ...real,
  async find(key) {
    await reach('before find')
    const found = await real.find(key)
    await reach('after find')
    return found
  },
  async advance(key, from, move) {
    if (holdCommits) await terminated
    await reach('before commit')
    const advanced = real.advance(key, from, move)
    await reach('commit sent')
    const result = await advanced
    await reach('after commit')
    return result
  },
}

const oauth = createTokenRouter({
  ...options,
  store,
  findAccount: async () => {
    await reach('before signing')
    return {}
  },
  authorize: (_request, { query }) => ({ subject: String(query.subject ?? 'alice') }),
  onEvent(event) {
    const name = 'reason' in event ? `${event.type} ${event.reason}` : event.type
    events[name] = (events[name] ?? 0) + 1
    if (event.type === 'store.trouble' || event.type === 'host.trouble')
      trouble = `after ${event.type} in ${event.operation}: ${reasonsOf(event.cause)}`
  },
})

const app = express()
app.use((req, res: ServerResponse, next) => {
  inFlight++
  res.once('close', () => inFlight--)
  const end = res.end.bind(res) as (text?: string) => ServerResponse
  res.end = ((text?: string) => {
    return reach('before response') ? res : end(text)
  }) as typeof res.end
  halting.run(req.headers['x-halt-at'] as HaltPoint | undefined, next)
})
app.use('/oauth', oauth)
app.get(
  '/guarded',
  oauth.requireAccessToken({ checkGrant: true }),
  (_req, res) => void res.json({ ok: true }),
)

const server = createServer(app).listen(0, '127.0.0.1', 2048, () =>
  tell({ type: 'listening', port: (server.address() as AddressInfo).port }),
)

// A connection that a client is about to use again is not to be closed meanwhile.
server.keepAliveTimeout = 600_000

process.on('message', ({ ask }: Question) => {
  if (ask === 'memory') global.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  const answers: Answers = { events, inFlight, trouble, memory: heapUsed + external }
  tell({ type: 'answer', answer: answers[ask] })
})
// Not to outlive the test.
process.on('disconnect', () => process.exit(1))

// As a host does: no new connections, what is in flight ends, then the store is let go. Then nothing is left to do.
process.once('SIGTERM', () => {
  server.close(async () => {
    await oauth.close()
    process.removeAllListeners('disconnect').disconnect()
  })
  setInterval(() => server.closeIdleConnections(), 20).unref()
  setTimeout(() => process.exit(2), 5000).unref()
})
