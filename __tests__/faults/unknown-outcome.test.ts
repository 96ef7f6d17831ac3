// The answer of a commit never came, or came late: nobody knows what was done. The client gets 503, and what it gets when
// it asks again is right.
import { setImmediate as anotherTurn, setTimeout as delay } from 'node:timers/promises'
import type { Response } from 'supertest'
import { redisStore, type TokenStore } from '../../lib'
import { expectRefusal, expectUnavailable, type Fixture, fixture } from '../support/fixture'
import { type RedisServer, startRedis } from '../support/redis-server'
import { type ProxyMode, startProxy, type TcpProxy } from './tcp-proxy'

let redis: RedisServer
let proxy: TcpProxy

beforeAll(async () => {
  redis = await startRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] })
  proxy = await startProxy(redis.port)
})

afterAll(async () => {
  proxy.close()
  await redis.stop()
})

/** A server whose Redis is in trouble from `begin` on, exactly while it commits. */
function troubled(begin: () => unknown): Fixture & { arm(): void } {
  const real = redisStore({ url: proxy.url })
  let armed = false
  const store: TokenStore = {
    ...real,
    async advance(...move) {
      if (armed) await begin()
      armed = false
      return real.advance(...move)
    },
  }
  return Object.assign(fixture({ store }), {
    arm() {
      armed = true
    },
  })
}

const spoil = (mode: ProxyMode) => () => {
  proxy.mode = mode
}
const mend = () => {
  proxy.mode = 'pass'
}

interface Trouble {
  readonly title: string
  readonly begin: () => unknown
  readonly end: () => unknown
  /** Whether the move was made all the same, or will be. */
  readonly moved: boolean
}

const TROUBLES: Trouble[] = [
  { title: 'the move is made and its answer lost', begin: spoil('drop-replies'), end: mend, moved: true },
  { title: 'the move is lost on its way', begin: spoil('drop-commands'), end: mend, moved: false },
  { title: 'the move is made and answered after 5 s', begin: spoil('slow'), end: mend, moved: true },
  {
    title: 'Redis freezes and makes the move when nobody waits for it any more',
    begin: () => redis.pause(),
    end: () => redis.resume(),
    moved: true,
  },
  {
    title: 'Redis is killed before it',
    begin: () => redis.kill(),
    end: () => redis.restart(),
    moved: false,
  },
]

/** Until the connection is there again; within that time the answer is 503 and nothing else. */
async function retried(ask: () => PromiseLike<Response>): Promise<Response> {
  const deadline = performance.now() + 2000
  for (;;) {
    const response = await ask()
    if (response.status !== 503 || performance.now() > deadline) return response
    expectUnavailable(response)
    await delay(50)
  }
}

describe('a commit of unknown outcome', () => {
  it.each(TROUBLES)(
    '$title: a refresh gets 503, and its retry the one successor (RFC 9700 §4.14.2)',
    async ({ begin, end, moved }) => {
      const server = troubled(begin)
      const { refresh_token } = await server.tokens()
      server.arm()
      expectUnavailable(await server.refresh(refresh_token))
      await end()

      const again = await retried(() => server.refresh(refresh_token))
      expect(again.status).toBe(200)
      expect(server.eventsOf('refresh.overlap')).toHaveLength(moved ? 1 : 0)
      const third = await server.refresh(refresh_token)
      expect(third.body.refresh_token).toBe(again.body.refresh_token)
      expect((await server.refresh(again.body.refresh_token)).status).toBe(200)
    },
  )

  it.each(TROUBLES)(
    '$title: a code gets 503, and works again if it was not spent (RFC 6749 §4.1.2)',
    async ({ begin, end, moved }) => {
      const server = troubled(begin)
      const code = await server.code()
      server.arm()
      expectUnavailable(await server.exchange(code))
      await end()

      const again = await retried(() => server.exchange(code))
      if (moved) expectRefusal(again, 400, 'invalid_grant')
      else expect(again.status).toBe(200)
    },
  )

  it.each(TROUBLES)('$title: a kept refresh token stays good', async ({ begin, end }) => {
    const server = troubled(begin)
    const { refresh_token } = await server.tokens({ client_id: 'post' })
    const refresh = () => server.refresh(refresh_token, { client_id: 'post', client_secret: 'post-secret' })
    server.arm()
    expectUnavailable(await refresh())
    await end()

    const again = await retried(refresh)
    expect(again.status).toBe(200)
    expect(again.body.refresh_token).toBe(refresh_token)
  })
})

// A process that has 250 requests at once does all of this as well.
describe('a process that is busy itself', () => {
  it.each([
    ['takes the answer that Redis gave meanwhile', 0.8, () => setImmediate(() => block(800))],
    ['takes the answer that Redis gave meanwhile', 1.2, () => setImmediate(() => block(1200))],
    ['waits for the answer to what it could not send meanwhile', 0.8, () => block(800)],
    ['waits for the answer to what it could not send meanwhile', 1.2, () => block(1200)],
  ])('%s, after %d s', async (_title, _seconds, keepBusy) => {
    const real = redisStore({ url: redis.url })
    let busy = false
    const store: TokenStore = {
      ...real,
      find(key) {
        const found = real.find(key)
        if (busy) keepBusy()
        busy = false
        return found
      },
    }
    const server = fixture({ store })
    const { refresh_token } = await server.tokens()
    busy = true
    expect((await server.refresh(refresh_token)).status).toBe(200)
    expect(server.eventsOf('store.trouble')).toEqual([])
  })

  it('connects all the same', async () => {
    const store = redisStore({ url: redis.url })
    const value = store.get('key').catch((error: Error) => error.message)
    for (let turn = 0; turn < 4; turn++) {
      block(300)
      await anotherTurn()
    }
    const answer = await value
    await store.close()
    expect(answer).toBeUndefined()
  })
})

function block(milliseconds: number): void {
  const end = performance.now() + milliseconds
  while (performance.now() < end);
}

test('a frozen store of the rate limiter does not add to the time of a frozen Redis: 503 within 1.5 s', async () => {
  let frozen = false
  const answer = async () => (frozen ? new Promise<never>(() => {}) : { totalHits: 0, resetTime: undefined })
  const server = fixture({
    store: redis.url,
    rateLimit: {
      store: () => ({ get: answer, increment: answer, decrement: () => {}, resetKey: () => {} }),
    },
  })
  const { refresh_token } = await server.tokens()
  frozen = true
  redis.pause()
  const started = performance.now()
  const response = await server.refresh(refresh_token)
  const took = performance.now() - started
  redis.resume()
  expectUnavailable(response)
  expect(took).toBeLessThan(1500)
})
