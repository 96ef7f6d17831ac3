import { once } from 'node:events'
import type { Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { MemoryStore, type Store } from 'express-rate-limit'
import type { Response, Test } from 'supertest'
import { memoryStore } from '../../lib'
import { expectRefusal, type Fixture, type FixtureOptions, fixture, listen } from '../support/fixture'

/** A router behind one proxy, which says where a request comes from. */
function limited(rateLimit: FixtureOptions['rateLimit'], more: FixtureOptions = {}): Fixture {
  return fixture({ rateLimit, before: (app) => app.set('trust proxy', 1), ...more })
}

const from = (address: string, asked: Test): Test => asked.set('X-Forwarded-For', address)

/** A request with the wrong secret: a failure of the address. */
const guess = (server: Fixture, address: string, clientId = 'web') =>
  from(address, server.post('/token', 'grant_type=refresh_token&refresh_token=x').auth(clientId, 'guess'))

/** A request of a client that has proved itself, and fails: a failure of the client at this address. */
const mistake = (server: Fixture, address: string, clientId = 'web') =>
  from(address, server.post('/token', 'grant_type=nobody-knows').auth(clientId, `${clientId}-secret`))

const good = (server: Fixture, address: string, clientId = 'api') =>
  from(address, server.post('/introspect', 'token=x').auth(clientId, `${clientId}-secret`))

function expectLimited(response: Response, windowSeconds = 60): void {
  expectRefusal(response, 429, 'temporarily_unavailable')
  expect(response.body.error_description).toBe('Too many failed requests; try again later.')
  const seconds = Number(response.headers['retry-after'])
  expect(Number.isInteger(seconds)).toBe(true)
  expect(seconds).toBeGreaterThan(windowSeconds - 10)
  expect(seconds).toBeLessThanOrEqual(windowSeconds)
}

let http: Server | undefined
afterEach(() => {
  http?.closeAllConnections()
  http?.close()
})

describe('failures of an address', () => {
  it('end in 429 with Retry-After, never in 401, whatever the secret is (RFC 6585 §4)', async () => {
    const server = limited({ failuresPerAddress: 3 })
    for (let i = 0; i < 3; i++) expectRefusal(await guess(server, '192.0.2.1'), 401, 'invalid_client')
    expectLimited(await guess(server, '192.0.2.1'))
    expectLimited(await good(server, '192.0.2.1'))
    expect(server.eventsOf('request.refused').at(-1)).toEqual({
      type: 'request.refused',
      endpoint: 'introspection',
      status: 429,
      error: 'temporarily_unavailable',
      reason: 'rate_limited',
      clientId: undefined,
      cause: undefined,
    })
  })

  it('are those of all endpoints, and close them all', async () => {
    const server = limited({ failuresPerAddress: 5 })
    const at = (asked: Test) => from('192.0.2.1', asked)
    expect((await at(server.post('/token', ''))).status).toBe(401)
    expect((await at(server.post('/revoke', ''))).status).toBe(401)
    expect((await at(server.post('/introspect', ''))).status).toBe(401)
    expect((await at(server.post('/token', '').type('json'))).status).toBe(400)
    expect((await at(server.post('/par', ''))).status).toBe(401)
    for (const asked of [
      server.post('/token', ''),
      server.post('/revoke', ''),
      server.post('/introspect', ''),
      server.get('/oauth/jwks'),
      server.get('/oauth/.well-known/openid-configuration'),
      server.get('/.well-known/openid-configuration/oauth'),
    ])
      expectLimited(await at(asked))
    const page = await at(server.authorize())
    expect([page.status, page.type, page.headers.location]).toEqual([429, 'text/html', undefined])
    expect(Number(page.headers['retry-after'])).toBeGreaterThan(50)
  })

  it('are none where there is no secret to guess: any page could make a browser fail there', async () => {
    const server = limited({ failuresPerAddress: 1 })
    const at = (asked: Test) => from('192.0.2.1', asked)
    for (const query of ['', '?client_id=nobody', '?client_id=spa&redirect_uri=https://attacker.example'])
      expect((await at(server.get(`/oauth/authorize${query}`))).status).toBe(400)
    expect((await at(server.get('/oauth/userinfo').auth('x', { type: 'bearer' }))).status).toBe(401)
    expectRefusal(await guess(server, '192.0.2.1'), 401, 'invalid_client')
  })

  it('concern no other address', async () => {
    const server = limited({ failuresPerAddress: 1 })
    await guess(server, '192.0.2.1')
    expectLimited(await guess(server, '192.0.2.1'))
    expectRefusal(await guess(server, '192.0.2.2'), 401, 'invalid_client')
  })

  it('are forgotten when the window is over', async () => {
    const server = limited({ failuresPerAddress: 1, windowSeconds: 1 })
    await guess(server, '192.0.2.1')
    expectLimited(await guess(server, '192.0.2.1'), 1)
    await delay(1050)
    expectRefusal(await guess(server, '192.0.2.1'), 401, 'invalid_client')
  })

  it('are not the waiting itself: the wait does not grow by asking again', async () => {
    const server = limited({ failuresPerAddress: 1, windowSeconds: 1 })
    await guess(server, '192.0.2.1')
    const ended = Date.now() + 1050
    while (Date.now() < ended - 200) await guess(server, '192.0.2.1')
    await delay(ended - Date.now())
    expect((await good(server, '192.0.2.1')).status).toBe(200)
  })

  it('are not more for connections that held their bodies back until all had been let in', async () => {
    const { server: listening, port } = await listen(fixture({ rateLimit: { failuresPerAddress: 3 } }).app)
    http = listening
    const head = `POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1\r\nAuthorization: Basic ${btoa('web:guess')}\r\n\r\n`
    let accepted = 0
    const begun = new Promise<void>((resolve) =>
      listening.on('request', () => ++accepted === 20 && resolve()),
    )
    const sockets = Array.from({ length: 20 }, () => connect(port, '127.0.0.1'))
    for (const socket of sockets) socket.write(head)
    await begun
    const answers = sockets.map(async (socket) => String(await once(socket, 'data')).slice(9, 12))
    for (const socket of sockets) socket.write('x')
    const statuses = await Promise.all(answers)
    expect(statuses.filter((status) => status === '401')).toHaveLength(3)
    expect(statuses.filter((status) => status === '429')).toHaveLength(17)
  })

  it('are counted where the client did not wait for its answer', async () => {
    const counted: string[] = []
    const server = fixture({
      rateLimit: {
        store: () => {
          const store = new MemoryStore()
          const increment = store.increment.bind(store)
          return Object.assign(store, {
            increment: (key: string) => {
              counted.push(key)
              return increment(key)
            },
          })
        },
      },
    })
    const { server: listening, port } = await listen(server.app)
    http = listening
    const socket = connect(port, '127.0.0.1')
    socket.write(
      'POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 99\r\n\r\nx',
    )
    const [accepted] = await once(listening, 'request')
    await once(accepted, 'data')
    socket.destroy()
    await new Promise((resolve) => accepted.once('close', resolve))
    await delay(10)
    expect(counted).toEqual(['127.0.0.1'])
  })
})

describe('what is no failure', () => {
  it('is a good request: 500 at once pass, under limits of one', async () => {
    const server = limited({ failuresPerAddress: 1, failuresPerClient: 1 })
    const { server: listening } = await listen(server.app)
    http = listening
    const { port } = listening.address() as AddressInfo
    const statuses = await Promise.all(
      Array.from({ length: 500 }, async () => {
        const response = await fetch(`http://127.0.0.1:${port}/oauth/introspect`, {
          method: 'POST',
          headers: { Authorization: `Basic ${btoa('api:api-secret')}` },
          body: new URLSearchParams({ token: 'x' }),
        })
        await response.text()
        return response.status
      }),
    )
    expect(new Set(statuses)).toEqual(new Set([200]))
  })

  it('is trouble of ours: 503 is nobody’s guess', async () => {
    const server = limited(
      { failuresPerAddress: 1, failuresPerClient: 1 },
      { store: { ...memoryStore(), find: () => Promise.reject(new Error('down')) } },
    )
    const code = await server.code()
    for (let i = 0; i < 3; i++) expectRefusal(await server.exchange(code), 503, 'temporarily_unavailable')
  })

  it.each(['access_denied', 'login_required'] as const)(
    'is a user who says no or is not logged in: pages ask often with prompt=none: %s (OIDC Core §3.1.2.6)',
    async (error) => {
      const server = limited({ failuresPerAddress: 2 }, { authorize: () => ({ error }) })
      for (let i = 0; i < 5; i++) expect((await server.authorize({ prompt: 'none' })).status).toBe(303)
    },
  )

  it('is a mistake that the browser takes to the client (RFC 6749 §4.1.2.1)', async () => {
    const server = limited({ failuresPerAddress: 2 })
    for (let i = 0; i < 5; i++) expect((await server.authorize({ scope: 'unknown' })).status).toBe(303)
  })
})

describe('a failure that nobody can have guessed at', () => {
  it('is a made-up code that a user sends a confidential client: it locks out no other user of it', async () => {
    const server = limited({ failuresPerAddress: 2, failuresPerClient: 2 })
    for (let i = 0; i < 5; i++) {
      const form = 'grant_type=authorization_code&code=made-up'
      expectRefusal(await server.post('/token', form).auth('web', 'web-secret'), 400, 'invalid_grant')
    }
  })

  it('is a token of ours that is good no more: old tabs of a public client lock out no new one', async () => {
    const server = limited({ failuresPerAddress: 2, failuresPerClient: 2 })
    const { refresh_token } = await server.tokens()
    await server.oauth.grants.revokeAll('alice')
    for (let i = 0; i < 5; i++) expectRefusal(await server.refresh(refresh_token), 400, 'invalid_grant')
  })

  it('is not a token that a public client made up', async () => {
    const server = limited({ failuresPerAddress: 2 })
    for (let i = 0; i < 2; i++) expectRefusal(await server.refresh('made-up'), 400, 'invalid_grant')
    expectLimited(await server.refresh('made-up'))
  })
})

describe('failures of a client at an address', () => {
  it('end in 429 there, and nowhere else', async () => {
    const server = limited({ failuresPerClient: 2 })
    for (let i = 0; i < 2; i++)
      expectRefusal(await mistake(server, '192.0.2.1'), 400, 'unsupported_grant_type')
    expectLimited(await mistake(server, '192.0.2.1'))
    expectLimited(await good(server, '192.0.2.1', 'web'))
    expect((await good(server, '192.0.2.1', 'api')).status).toBe(200)
    expect((await good(server, '192.0.2.2', 'web')).status).toBe(200)
    expect(server.eventsOf('request.refused').at(-1)).toMatchObject({
      reason: 'rate_limited',
      clientId: 'web',
    })
  })

  it('are not made by those who only name it: a flood locks no victim out', async () => {
    const server = limited({ failuresPerAddress: 100, failuresPerClient: 2 })
    for (let i = 0; i < 10; i++) expectRefusal(await guess(server, '192.0.2.66'), 401, 'invalid_client')
    expect((await good(server, '192.0.2.1', 'web')).status).toBe(200)
    expect((await good(server, '192.0.2.66', 'web')).status).toBe(200)
  })
})

describe('one address', () => {
  it.each([
    [
      'a /56 of IPv6',
      ['2001:db8:0:ab00::1', '2001:db8:0:ab01:2:3:4:5', '2001:DB8::abff:0:0:0:9'],
      '2001:db8:0:ac00::1',
    ],
    [
      'an IPv4 address written as IPv6 (CVE-2026-30827)',
      ['192.0.2.1', '::ffff:192.0.2.1', '::ffff:c000:201'],
      '::ffff:192.0.2.2',
    ],
    ['a link-local address in any zone', ['fe80::1', 'fe80::1%eth0', 'fe80::2%1'], 'fe81::1'],
  ])('is %s', async (_, same, other) => {
    const server = limited({ failuresPerAddress: 2 })
    expect((await guess(server, same[0] as string)).status).toBe(401)
    expect((await guess(server, same[1] as string)).status).toBe(401)
    expectLimited(await guess(server, same[2] as string))
    expect((await guess(server, other)).status).toBe(401)
  })

  it('is not what X-Forwarded-For says, unless a proxy is trusted', async () => {
    const server = fixture({ rateLimit: { failuresPerAddress: 2 } })
    for (let i = 0; i < 2; i++) expect((await guess(server, `192.0.2.${i}`)).status).toBe(401)
    expectLimited(await guess(server, '192.0.2.3'))
  })

  it('is what the trusted proxy saw, not what a client wrote before it', async () => {
    const server = limited({ failuresPerAddress: 2 })
    for (let i = 0; i < 2; i++) expect((await guess(server, `203.0.113.${i}, 192.0.2.1`)).status).toBe(401)
    expectLimited(await guess(server, '203.0.113.9, 192.0.2.1'))
    expect((await guess(server, '192.0.2.1, 203.0.113.9')).status).toBe(401)
  })

  it.each([
    ['nothing', ''],
    ['no address', 'unknown'],
    ['quotes', "x' OR 1=1"],
    ['percents', '%00'],
    ['letters of another alphabet', '\u00e9'],
    ['far too long', '1'.repeat(5000)],
    ['half an address', '::ffff:999.1.1.1'],
  ])('may be nonsense, which fails nothing: %s', async (_, nonsense) => {
    const server = limited({ failuresPerAddress: 5 })
    expect((await good(server, nonsense)).status).toBe(200)
    expect((await guess(server, nonsense)).status).toBe(401)
  })
})

describe('a store of the host’s', () => {
  /** As a host would write one, around a store that does what `fail` says. */
  function failing(fail: () => Promise<never>): () => Store {
    return () => ({ get: fail, increment: fail, decrement: fail, resetKey: fail })
  }

  it.each([
    ['rejects', () => Promise.reject(new Error('The limiter is down.'))],
    [
      'throws',
      () => {
        throw new Error('The limiter is down.')
      },
    ],
  ])('that %s lets requests pass, and is told of', async (_, fail) => {
    const server = limited({ failuresPerAddress: 1, failuresPerClient: 1, store: failing(fail) })
    expect((await good(server, '192.0.2.1')).status).toBe(200)
    const cause = new Error('The limiter is down.')
    expect(server.events).toEqual([{ type: 'host.trouble', operation: 'rateLimit', cause }])
    for (let i = 0; i < 3; i++) expectRefusal(await guess(server, '192.0.2.1'), 401, 'invalid_client')
  })

  it('that hangs lets requests pass after a moment, and is told of', async () => {
    const server = limited({ failuresPerAddress: 1, store: failing(() => new Promise(() => {})) })
    const begun = Date.now()
    expect((await good(server, '192.0.2.1')).status).toBe(200)
    expect(Date.now() - begun).toBeLessThan(2500)
    expect(server.events).toEqual([
      { type: 'host.trouble', operation: 'rateLimit', cause: expect.any(Error) },
    ])
  })

  it('that has failed is left alone for a second, then asked again', async () => {
    let asked = 0
    const down = async () => {
      asked++
      throw new Error('The limiter is down.')
    }
    const server = limited({ store: failing(down) })
    const begun = performance.now()
    await good(server, '192.0.2.1')
    await guess(server, '192.0.2.1')
    expect(asked).toBe(1)
    while (asked === 1) await good(server, '192.0.2.1')
    expect(performance.now() - begun).toBeGreaterThan(1000)
    expect(asked).toBe(2)
  })

  it.each([
    ['once for a form that came with its head', 1, 0],
    ['again for a form that was waited for', 2, 20],
  ])('is asked about an address %s', async (_, times, wait) => {
    let asked = 0
    const counts = new MemoryStore()
    const store = (limit: 'address' | 'client'): Store => ({
      get: (key) => {
        if (limit === 'address') asked++
        return counts.get(key)
      },
      increment: (key) => counts.increment(key),
      decrement: (key) => counts.decrement(key),
      resetKey: (key) => counts.resetKey(key),
    })
    const { server: listening, port } = await listen(fixture({ rateLimit: { store } }).app)
    http = listening
    const head =
      'POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 13\r\n\r\n'
    const socket = connect(port, '127.0.0.1')
    if (wait > 0) {
      socket.write(head)
      await delay(wait)
      socket.write('client_id=spa')
    } else socket.write(`${head}client_id=spa`)
    const [answer] = await once(socket, 'data')
    expect(String(answer)).toMatch(/^HTTP\/1.1 400 /)
    expect(asked).toBe(times)
  })

  it('is made for each of the two limits, and its keys hold no secret', async () => {
    const keys: Record<string, string[]> = {}
    const server = limited({
      store: (limit) => {
        const counts = new MemoryStore()
        const seen: string[] = []
        keys[limit] = seen
        return {
          init: (options) => counts.init(options),
          get: (key) => counts.get(key),
          increment: (key) => {
            seen.push(key)
            return counts.increment(key)
          },
          decrement: (key) => counts.decrement(key),
          resetKey: (key) => counts.resetKey(key),
        }
      },
    })
    await guess(server, '192.0.2.1')
    await mistake(server, '192.0.2.1')
    await good(server, '192.0.2.1')
    expect(keys).toEqual({ address: ['192.0.2.1', '192.0.2.1'], client: ['192.0.2.1 web'] })
  })
})

it('limits nothing with rateLimit: false', async () => {
  const server = limited(false)
  for (let i = 0; i < 200; i++) expect((await guess(server, '192.0.2.1')).status).toBe(401)
})

it('limits to 120 failures of an address and 30 of a client there in a minute, unless told', async () => {
  const server = limited(undefined)
  for (let i = 0; i < 30; i++) expect((await mistake(server, '192.0.2.1')).status).toBe(400)
  expectLimited(await mistake(server, '192.0.2.1'))
  for (let i = 30; i < 120; i++) expect((await guess(server, '192.0.2.1')).status).toBe(401)
  expectLimited(await guess(server, '192.0.2.1'))
})
