import { setImmediate as anotherTurn, setTimeout as delay } from 'node:timers/promises'
import { memoryStore, OAuthError, type TokenStore } from '../../lib'
import { GuardedStore } from '../../lib/stores/guarded-store'
import {
  CALLBACK,
  CHALLENGE,
  expectRefusal,
  expectUnavailable,
  fixture,
  readRequest,
} from '../support/fixture'

type Operation = 'insert' | 'find' | 'advance' | 'revoke'

/** A store of which one operation fails, as long as the test says how. */
function failing(operation: Operation) {
  const store = memoryStore()
  const state: { fail: ((work: () => Promise<unknown>) => Promise<unknown>) | undefined } = {
    fail: undefined,
  }
  const wrapped = new Proxy(store, {
    get(target, name: keyof TokenStore) {
      if (name !== operation) return target[name]
      return (...given: unknown[]) => {
        const work = (): Promise<unknown> => Reflect.apply(target[name], target, given)
        return state.fail ? state.fail(work) : work()
      }
    },
  })
  return { store: wrapped, state }
}

const rejects = () => Promise.reject(new Error('connection lost'))
const throws = () => {
  throw new Error('no connection')
}
const hangs = () => new Promise<never>(() => {})

describe('a store that fails is 503 and one event, never invalid_grant', () => {
  it.each<[string, Operation, () => Promise<unknown>]>([
    ['find rejects', 'find', rejects],
    ['find throws', 'find', throws],
    ['find never answers', 'find', hangs],
    ['advance rejects', 'advance', rejects],
    ['advance throws', 'advance', throws],
    ['advance never answers', 'advance', hangs],
  ])('%s: code and refresh token are good still, and the next try works', async (_what, operation, fail) => {
    const { store, state } = failing(operation)
    const server = fixture({ store, overlap: 0, codeReplaySeconds: 0, storeTimeoutSeconds: 0.1 })
    const [code, { refresh_token }] = [await server.code(), await server.tokens()]
    server.events.length = 0

    state.fail = fail
    expectUnavailable(await server.exchange(code))
    expectUnavailable(await server.refresh(refresh_token))
    expect(server.events).toEqual(
      Array(2)
        .fill([
          { type: 'store.trouble', operation, cause: expect.any(Error) },
          expect.objectContaining({
            type: 'request.refused',
            status: 503,
            reason: `store_${operation}_failed`,
          }),
        ])
        .flat(),
    )

    state.fail = undefined
    expect((await server.exchange(code)).status).toBe(200)
    expect((await server.refresh(refresh_token)).status).toBe(200)
  })

  it('insert fails: no code is handed out, and the host that asked for one is told', async () => {
    const { store, state } = failing('insert')
    const server = fixture({ store })
    const { oauth } = server
    const request = await readRequest(oauth, {
      response_type: 'code',
      client_id: 'spa',
      redirect_uri: CALLBACK,
      code_challenge: CHALLENGE,
      code_challenge_method: 'S256',
    })

    state.fail = rejects
    const error = await oauth.issueCode(request, { subject: 'alice' }).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(OAuthError)
    expect(error).toMatchObject({ status: 503, code: 'temporarily_unavailable' })
    expect(server.events).toMatchObject([{ type: 'store.trouble', operation: 'insert' }])
  })

  it('says nothing of the failure to the client', async () => {
    const { store, state } = failing('find')
    const server = fixture({ store })
    const { refresh_token } = await server.tokens()
    state.fail = () => Promise.reject(new Error('connect ECONNREFUSED 10.0.0.7:6379'))

    expect((await server.refresh(refresh_token)).body).toEqual({
      error: 'temporarily_unavailable',
      error_description: 'The server cannot answer at the moment; try again.',
    })
  })
})

describe('a store whose answer got lost, though it did what it was told', () => {
  /** Does the work, and fails all the same. */
  const losesAnswer = async (work: () => Promise<unknown>) => {
    await work()
    throw new Error('connection lost')
  }
  /** Does the work when nobody waits any more: then the test says so. */
  const isLate = async (work: () => Promise<unknown>) => {
    await new Promise<void>((resolve) => (nobodyWaits = resolve))
    return work()
  }
  let nobodyWaits = () => {}

  it.each([
    ['is lost', losesAnswer],
    ['comes too late', isLate],
  ])(
    'a refresh, and the answer %s: 503, and the next try gets the token that was made',
    async (_how, fail) => {
      const { store, state } = failing('advance')
      const server = fixture({ store, storeTimeoutSeconds: 0.05 })
      const { refresh_token } = await server.tokens()

      state.fail = fail
      expectUnavailable(await server.refresh(refresh_token))
      nobodyWaits()
      await anotherTurn()
      state.fail = undefined
      const { status, body } = await server.refresh(refresh_token)
      expect(status).toBe(200)
      expect(server.eventsOf('refresh.overlap')).toMatchObject([{ presented: 1, current: 2 }])
      expect(server.eventsOf('replay')).toEqual([])
      expect((await server.refresh(body.refresh_token)).status).toBe(200)
    },
  )

  it('a code: 503, then invalid_grant, for it is spent; the client starts anew', async () => {
    const { store, state } = failing('advance')
    const server = fixture({ store })
    const code = await server.code()

    state.fail = losesAnswer
    expectUnavailable(await server.exchange(code))
    state.fail = undefined
    expectRefusal(await server.exchange(code), 400, 'invalid_grant')
    expect((await server.exchange(await server.code())).status).toBe(200)
  })

  it('a command that reaches it twice is one move', async () => {
    const { store, state } = failing('advance')
    const server = fixture({ store, overlap: 0 })
    const { refresh_token } = await server.tokens()
    state.fail = async (work) => {
      await work()
      return work()
    }

    const { status, body } = await server.refresh(refresh_token)
    expect(status).toBe(200)
    expect((await server.refresh(body.refresh_token)).status).toBe(200)
  })

  it('the end of a grant: 503, and the next try finds nothing left to end', async () => {
    const { store, state } = failing('revoke')
    const server = fixture({ store, overlap: 0 })
    const { refresh_token } = await server.tokens()
    await server.refresh(refresh_token)

    state.fail = losesAnswer
    expectUnavailable(await server.refresh(refresh_token))
    state.fail = undefined
    expectRefusal(await server.refresh(refresh_token), 400, 'invalid_grant')
    expect((await server.oauth.grants.list('alice')).grants).toEqual([])
  })
})

describe('all calls of one request together take no longer than two may', () => {
  /** Each call takes so many seconds, and each race is lost. */
  function slow(seconds: number): TokenStore {
    const store = memoryStore()
    return {
      ...store,
      async find(key) {
        await delay(1000 * seconds)
        return store.find(key)
      },
      async advance() {
        await delay(1000 * seconds)
        return false
      },
    }
  }

  it('who loses a race to another is told 503 in that time, though it takes four calls', async () => {
    const server = fixture({ store: slow(0.3), storeTimeoutSeconds: 0.4 })
    const code = await server.code()
    const begun = performance.now()
    expectUnavailable(await server.exchange(code))
    const seconds = (performance.now() - begun) / 1000

    expect(server.eventsOf('store.trouble')).toMatchObject([{ operation: 'find' }])
    expect(seconds).toBeGreaterThan(0.79)
    expect(seconds).toBeLessThan(1.15) // four calls would take 1.2
  })

  it('a call for which nothing is left is not begun', async () => {
    const store = memoryStore()
    let busy = false
    const server = fixture({
      store: {
        ...store,
        async find(key) {
          const found = await store.find(key)
          // The process itself is busy: the answer counts, however late it is seen.
          for (const until = performance.now() + (busy ? 60 : 0); performance.now() < until; );
          return found
        },
      },
      storeTimeoutSeconds: 0.02,
    })
    const code = await server.code()
    busy = true
    expectUnavailable(await server.exchange(code))
    expect(server.eventsOf('store.trouble')).toMatchObject([
      {
        operation: 'advance',
        cause: { message: 'The calls before it took all the time that a request has.' },
      },
    ])
    busy = false
    expect((await server.exchange(code)).status).toBe(200)
  })

  it('each request has its own time', async () => {
    const server = fixture({ storeTimeoutSeconds: 0.05 })
    const { refresh_token } = await server.tokens({ client_id: 'post' })
    for (let i = 0; i < 30; i++)
      expect(
        (await server.refresh(refresh_token, { client_id: 'post', client_secret: 'post-secret' })).status,
      ).toBe(200)
    expect(server.eventsOf('store.trouble')).toEqual([])
  })
})

describe('closing', () => {
  it('waits for the store as long as that takes: what is in flight comes first', async () => {
    let closed = false
    const { oauth } = fixture({
      storeTimeoutSeconds: 0.01,
      store: {
        ...memoryStore(),
        async close() {
          await delay(50)
          closed = true
        },
      },
    })

    await oauth.close()
    expect(closed).toBe(true)
  })
})

it.each<[string, unknown]>([
  ['the result of a driver', { rowCount: 0 }],
  ['a number as a string', '0'],
  ['nothing', undefined],
])('an answer to a move that is neither yes nor no wins no race: %s', async (_what, answer) => {
  const store = { ...memoryStore(), advance: async () => answer as boolean }
  const server = fixture({ store })
  expectUnavailable(await server.exchange(await server.code()))
  expect(server.eventsOf('store.trouble')).toMatchObject([{ operation: 'advance' }])
})

it.each<[string, 'revokeAll' | 'get' | 'take', unknown]>([
  ['revokeAll, the result of a driver', 'revokeAll', { rowCount: 1 }],
  ['revokeAll, a number as a string', 'revokeAll', '1'],
  ['revokeAll, nothing', 'revokeAll', undefined],
  ['revokeAll, less than none', 'revokeAll', -1],
  ['get, bytes', 'get', Buffer.from('value')],
  ['take, a row', 'take', { value: 'value' }],
  ['take, a number', 'take', 1],
])('an answer of another type than the contract says is 503: %s', async (_what, operation, answer) => {
  const told: unknown[] = []
  const broken = { ...memoryStore(), [operation]: async () => answer }
  const store = new GuardedStore(broken, 1, (event) => told.push(event))
  await expect(store[operation]('key')).rejects.toMatchObject({ status: 503 })
  expect(told).toEqual([{ type: 'store.trouble', operation, cause: expect.any(TypeError) }])
})

it('a store may be an instance of a class, and its methods need not be asynchronous', async () => {
  const kept = new Map<string, string>()
  class Plain {
    readonly #kept = kept
    put(key: string, value: string) {
      this.#kept.set(key, value)
      return true
    }
    get(key: string) {
      return this.#kept.get(key)
    }
    take(): never {
      throw new Error('no connection')
    }
  }
  const store = new GuardedStore(new Plain() as unknown as TokenStore, 1, () => {}).forOneRequest()
  expect(await store.put('key', 'value', 60)).toBe(true)
  expect(await store.get('key')).toBe('value')
  await expect(store.take('key')).rejects.toMatchObject({ status: 503 })
})

it.each(['get', 'take'] as const)('%s may say null for what is not there', async (operation) => {
  const store = new GuardedStore({ ...memoryStore(), [operation]: async () => null }, 1, () => {})
  expect(await store[operation]('key')).toBeUndefined()
})
