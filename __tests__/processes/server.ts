// A host app in a process of its own, with the router on a store that other processes share. What it is to be comes as
// its argument; what happens in it is told by messages. A test starts it with start-server.ts.
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { createTokenRouter, memoryStore, redisStore, type TokenStore } from '../../lib'
import type { Answers, HaltPoint, Message, Question, ServerOptions } from './start-server'

const { redis, holdCommits, ...options }: ServerOptions = JSON.parse(process.argv[2] as string)
const tell = (message: Message) => process.send?.(message)

const terminated = once(process, 'SIGTERM')
let halt: HaltPoint | undefined
let inFlight = 0
const events: Record<string, number> = {}

/** The process stands still where the test wants it to, and waits to be killed. */
function reach(point: HaltPoint): Promise<void> | undefined {
  if (halt !== point) return undefined
  tell({ type: 'halted' })
  return new Promise(() => {})
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
  },
})

const app = express()
app.use((_req, res: ServerResponse, next) => {
  inFlight++
  res.once('close', () => inFlight--)
  const end = res.end.bind(res) as (text?: string) => ServerResponse
  res.end = ((text?: string) => {
    if (halt !== 'before response') return end(text)
    void reach('before response')
    return res
  }) as typeof res.end
  next()
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

process.on('message', ({ ask, point }: Question) => {
  if (ask === 'halt') halt = point
  if (ask === 'memory') global.gc?.()
  const answers: Answers = {
    halt: undefined,
    events,
    inFlight,
    memory: process.memoryUsage().heapUsed,
    rss: process.memoryUsage.rss(),
  }
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
