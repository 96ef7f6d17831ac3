import { once } from 'node:events'
import { createServer, IncomingMessage, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import express, { type RequestHandler } from 'express'
import express4 from 'express4'
import request, { type Response } from 'supertest'
import { memoryStore, type TokenStore } from '../../lib'
import {
  CALLBACK,
  CHALLENGE,
  expectRefusal,
  expectUncached,
  type Fixture,
  fixture,
  listen,
  VERIFIER,
} from '../support/fixture'

const FORM = 'application/x-www-form-urlencoded'
const LIMIT = 64 * 1024

let http: Server | undefined

/** Where the app of this fixture listens, until the test ends. */
async function portOf({ app }: Fixture): Promise<number> {
  const { server, port } = await listen(app)
  http = server
  return port
}

afterEach(() => {
  jest.useRealTimers()
  http?.closeAllConnections()
  http?.close()
})

/** Middleware of a host that reads the whole body, and leaves nothing of it. */
const readAway: RequestHandler = async (req, _res, next) => {
  for await (const _chunk of req);
  next()
}

/** The token request of `spa` for this code, as a string. */
function exchangeForm(code: string): string {
  return new URLSearchParams({
    grant_type: 'authorization_code',
    client_id: 'spa',
    code,
    redirect_uri: CALLBACK,
    code_verifier: VERIFIER,
  }).toString()
}

/** POST /oauth/token with a body of any type, untouched. */
function postBody(
  server: Fixture,
  type: string,
  body: string | Buffer,
  headers: Record<string, string> = {},
) {
  return request(server.app)
    .post('/oauth/token')
    .set({ 'Content-Type': type, ...headers })
    .serialize((sent: unknown) => sent as string)
    .send(body)
}

function expectMalformed(response: Response, description: string, status = 400): void {
  expectRefusal(response, status, 'invalid_request')
  expect(response.body.error_description).toBe(description)
}

describe('the content type of a request', () => {
  const wrong = 'The content type must be application/x-www-form-urlencoded.'

  it.each([
    'application/json',
    'text/plain',
    'multipart/form-data; boundary=x',
    'application/x-www-form-urlencodedx',
    'x, application/x-www-form-urlencoded',
  ])('rejects "%s" (RFC 6749 §4.1.3)', async (type) => {
    const server = fixture()
    expectMalformed(await postBody(server, type, exchangeForm(await server.code())), wrong)
  })

  it('rejects a request that names none (RFC 6749 §4.1.3)', async () => {
    expectMalformed(await request(fixture().app).post('/oauth/token'), wrong)
  })

  it.each([
    'application/x-www-form-urlencoded; charset=UTF-8',
    'APPLICATION/X-WWW-Form-URLEncoded ;charset="utf-8"',
  ])(
    'accepts "%s": names of media types ignore case, parameters may follow (RFC 9110 §8.3.1)',
    async (type) => {
      const server = fixture()
      expect((await postBody(server, type, exchangeForm(await server.code()))).status).toBe(200)
    },
  )
})

describe('names that a parser could take for structure', () => {
  it('ignores brackets and prototypes like any unknown parameter, and pollutes nothing (RFC 6749 §3.2)', async () => {
    const server = fixture()
    const unknown =
      'code[]=a&code[x]=a&__proto__=x&__proto__[polluted]=x&constructor[prototype][polluted]=x&toString=x'
    const response = await server.post('/token', `${unknown}&${exchangeForm(await server.code())}`)
    expect(response.status).toBe(200)
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })

  it('does not take "code[]" for a code (RFC 6749 §4.1.3)', async () => {
    const server = fixture()
    const form = exchangeForm(await server.code()).replace('code=', 'code[]=')
    expectMalformed(await server.post('/token', form), 'The parameter code is missing.')
  })
})

describe.each([
  ['Express 4', 4, express4 as unknown as typeof express],
  ['Express 5', 5, express],
] as const)('behind a body parser of the host on %s', (_, expressMajor, { json, raw, text, urlencoded }) => {
  const parsers = [
    ['express.json()', json()],
    ['express.urlencoded({ extended: true })', urlencoded({ extended: true })],
    ['express.urlencoded({ extended: false })', urlencoded({ extended: false })],
    ["express.text({ type: '*/*' })", text({ type: '*/*' })],
    ["express.raw({ type: '*/*' })", raw({ type: '*/*' })],
  ] as const

  it.each(parsers)('works after %s', async (_name, parser) => {
    const server = fixture({ expressMajor, before: (app) => app.use(parser) })
    const exchanged = await server.exchange(await server.code())
    expect(exchanged.status).toBe(200)
    expectUncached(exchanged)
    expect((await server.refresh(exchanged.body.refresh_token)).status).toBe(200)
  })

  it.each(parsers)('answers an empty form after %s', async (_name, parser) => {
    const server = fixture({ expressMajor, before: (app) => app.use(parser) })
    expectRefusal(await server.post('/token', ''), 401, 'invalid_client')
  })

  it.each(parsers)('rejects repetitions and arrays after %s (RFC 6749 §3.2)', async (_name, parser) => {
    const server = fixture({ expressMajor, before: (app) => app.use(parser) })
    const form = exchangeForm(await server.code())
    expectRefusal(await server.post('/token', `${form}&client_id=spa`), 400, 'invalid_request')
    for (const name of ['code[]', 'code[0]', 'code[x]'])
      expectRefusal(await server.post('/token', form.replace('code=', `${name}=`)), 400, 'invalid_request')
  })

  it('requires the form content type even where the host parses JSON (RFC 6749 §4.1.3)', async () => {
    const server = fixture({ expressMajor, before: (app) => app.use(json()) })
    const body = JSON.stringify(Object.fromEntries(new URLSearchParams(exchangeForm(await server.code()))))
    expectMalformed(
      await postBody(server, 'application/json', body),
      'The content type must be application/x-www-form-urlencoded.',
    )
  })

  it.each([
    ['a number', { code: 5 }],
    ['a boolean', { code: true }],
    ['null', { code: null }],
    ['an object', { code: { a: 'b' } }],
    ['an array', { code: ['a'] }],
    ['nested arrays', { code: [['a']] }],
  ])('rejects %s where the host takes a form for JSON', async (_name, members) => {
    const server = fixture({ expressMajor, before: (app) => app.use(json({ type: '*/*' })) })
    const body = JSON.stringify({ grant_type: 'authorization_code', client_id: 'spa', ...members })
    expectRefusal(await postBody(server, FORM, body), 400, 'invalid_request')
  })

  it('blames no client where the host has read the form and kept nothing of it (RFC 6749 §5.2)', async () => {
    const server = fixture({ expressMajor, before: (app) => app.use(readAway) })
    expectRefusal(await server.exchange(await server.code()).timeout(2000), 500, 'server_error')
    expect(server.eventsOf('request.refused')).toEqual([
      {
        type: 'request.refused',
        endpoint: 'token',
        status: 500,
        error: 'server_error',
        reason: 'used_up_body',
        clientId: undefined,
        cause: expect.objectContaining({ name: 'ConfigError', code: 'used_up_body', option: 'req.body' }),
      },
    ])
  })

  it('takes an empty form that the host has read for an empty form', async () => {
    const server = fixture({ expressMajor, before: (app) => app.use(readAway) })
    expectRefusal(await server.post('/token', ''), 401, 'invalid_client')
  })

  it('takes a form without a parameter for an empty form, after a parser has read it', async () => {
    const parser = urlencoded({ extended: false })
    const server = fixture({ expressMajor, before: (app) => app.use(parser) })
    expectRefusal(await server.post('/token', '&'), 401, 'invalid_client')
  })

  it('pollutes nothing, whatever the host made of the names (qs CVE-2022-24999)', async () => {
    const server = fixture({ expressMajor, before: (app) => app.use(urlencoded({ extended: true })) })
    const unknown =
      '__proto__=x&__proto__[polluted]=x&constructor[prototype][polluted]=x&a[__proto__][polluted]=x'
    const response = await server.post('/token', `${unknown}&${exchangeForm(await server.code())}`)
    expect([200, 400]).toContain(response.status)
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })
})

describe('the size of a request', () => {
  const padded = (form: string, bytes: number) => `${form}&pad=`.padEnd(bytes, 'x')

  it('accepts a body of 64 KiB', async () => {
    const server = fixture()
    expect((await server.post('/token', padded(exchangeForm(await server.code()), LIMIT))).status).toBe(200)
  })

  it('accepts a body of 64 KiB that comes in chunks (RFC 9112 §7.1)', async () => {
    const server = fixture()
    const port = await portOf(server)
    const body = padded(exchangeForm(await server.code()), LIMIT)
    const answer = await talk(port, (socket) => {
      socket.write(head('Transfer-Encoding: chunked\r\nConnection: close'))
      for (let i = 0; i < body.length; i += 1000) socket.write(chunk(body.slice(i, i + 1000)))
      socket.write(chunk(''))
    })
    expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\n/)
  })

  it('answers 413 to one byte more (RFC 9110 §15.5.14)', async () => {
    const server = fixture()
    const response = await server.post('/token', padded(exchangeForm(await server.code()), LIMIT + 1))
    expectMalformed(response, 'The body is too large.', 413)
  })

  it('answers 413 to a browser with a page, and closes the connection as well (RFC 9112 §9.6)', async () => {
    const port = await portOf(fixture())
    const answer = await talk(port, (socket) => {
      socket.write(head(`Content-Length: ${10 * LIMIT}`, '/authorize'))
      socket.write('x'.repeat(LIMIT + 1))
    })
    expect(answer).toMatch(/^HTTP\/1.1 413 Payload Too Large\r\n/)
    expect(answer).toMatch(/\r\nContent-Type: text\/html; charset=utf-8\r\n/)
    expect(answer).toMatch(/\r\nConnection: close\r\n/)
  })

  it('answers 413 from the length alone, before the body is sent', async () => {
    const port = await portOf(fixture())
    const answer = await talk(port, (socket) => socket.write(head(`Content-Length: ${LIMIT + 1}`)))
    expectTooLarge(answer)
  })

  it('answers 413 in the middle of chunks that never end', async () => {
    const port = await portOf(fixture())
    const answer = await talk(port, (socket) => {
      socket.write(head('Transfer-Encoding: chunked'))
      for (let i = 0; i <= LIMIT / 1024; i++) socket.write(chunk('x'.repeat(1024)))
    })
    expectTooLarge(answer)
  })

  it('lets a client that keeps on sending read its 413', async () => {
    const port = await portOf(fixture())
    const response = await fetch(`http://127.0.0.1:${port}/oauth/token`, {
      method: 'POST',
      body: new URLSearchParams({ pad: 'x'.repeat(5_000_000) }),
    })
    expect(response.status).toBe(413)
    expect(await response.json()).toEqual({
      error: 'invalid_request',
      error_description: 'The body is too large.',
    })
  })

  it.each(['gzip', 'GZIP', 'deflate', 'br', 'x-unknown', 'identity, gzip'])(
    'unpacks nothing, so that no bomb goes off: content encoding %s (CWE-409)',
    async (encoding) => {
      const server = fixture()
      const bomb = gzipSync(padded(exchangeForm(await server.code()), 20_000_000))
      expect(bomb.length).toBeLessThan(LIMIT)
      expectMalformed(
        await postBody(server, FORM, bomb, { 'Content-Encoding': encoding }),
        'The body must not be compressed.',
      )
    },
  )

  it('accepts the content encoding that changes nothing (RFC 9110 §8.4.1)', async () => {
    const server = fixture()
    const response = await postBody(server, FORM, exchangeForm(await server.code()), {
      'Content-Encoding': 'identity',
    })
    expect(response.status).toBe(200)
  })
})

describe('a body in as many packets as it likes', () => {
  const refresh = 'grant_type=refresh_token&client_id=spa&refresh_token=x'
  const whole = `${head(`Content-Length: ${refresh.length}`)}${refresh}`
  const last = whole.replace('Content-Length', 'Connection: close\r\nContent-Length')

  it('ends where its length says, whatever follows in the same packet (RFC 9112 §6.3, §9.3.2)', async () => {
    const server = fixture()
    const port = await portOf(server)
    const answer = await talk(port, (socket) => socket.write(whole + whole + last))
    expect(answer.match(/HTTP\/1.1 400 Bad Request/g)).toHaveLength(3)
    expect(server.eventsOf('request.refused').map(({ reason }) => reason)).toEqual(
      Array(3).fill('forged_refresh_token'),
    )
  })

  it.each([
    ['in one with its head', [1000]],
    ['begun with its head', [5, 1000]],
    ['behind its head', [0, 1000]],
    ['byte by byte', [0, 1, 1, 1, 1, 1000]],
  ])('is the same form %s, also where the host has set an encoding', async (_name, sizes) => {
    const server = fixture({
      before: (app) =>
        app.use((req, _res, next) => {
          req.setEncoding('utf8')
          next()
        }),
    })
    const port = await portOf(server)
    const form = exchangeForm(await server.code())
    const answer = await talk(port, async (socket) => {
      socket.setNoDelay(true)
      let rest = form
      let packet = head(`Connection: close\r\nContent-Length: ${form.length}`)
      for (const size of sizes) {
        packet += rest.slice(0, size)
        rest = rest.slice(size)
        socket.write(packet)
        packet = ''
        await delay(20)
      }
    })
    expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\n/)
  })

  it('is whole though the host has let it flow', async () => {
    const server = fixture({
      before: (app) =>
        app.use(async (req, _res, next) => {
          while (req.readableLength < Number(req.headers['content-length'])) await delay(1)
          req.resume()
          next()
        }),
    })
    const port = await portOf(server)
    const answer = await talk(port, async (socket) => {
      socket.setNoDelay(true)
      socket.write(last.slice(0, -5))
      await delay(20)
      socket.write(last.slice(-5))
    })
    expect(answer).toMatch(/^HTTP\/1.1 400 Bad Request\r\n/)
    expect(server.eventsOf('request.refused').map(({ reason }) => reason)).toEqual(['forged_refresh_token'])
  })

  it.each([5, 4] as const)(
    'is at its end before it is answered, for a host on Express %i that looks',
    async (expressMajor) => {
      const heard: string[] = []
      const server = fixture({
        expressMajor,
        before: (app) =>
          app.use(async (req, res, next) => {
            await null // from here on in the middle of Node's parser, which has not come to the end yet
            req.on('end', () => heard.push('end'))
            res.on('finish', () => heard.push(`answered, ${req.complete ? 'complete' : 'not complete'}`))
            next()
          }),
      })
      const port = await portOf(server)
      await talk(port, (socket) => socket.write(last))
      expect(heard).toEqual(['end', 'answered, complete'])
    },
  )

  it.each(['once', 'in two'])(
    'is left to no parser behind the router that read it, having come at %s',
    async (how) => {
      const { oauth } = fixture({ authorize: undefined, authorizationEndpoint: 'http://localhost:3000/page' })
      const app = express()
      app.use(async (_req, _res, next) => {
        await null
        next()
      })
      app.post('/page', async (req, res, next) => {
        res.locals.form = (await oauth.readAuthorizationRequest(req, res)).form
        next()
      })
      app.post('/page', express.urlencoded({ extended: false }), (_req, res) => {
        res.end(`the form of the page: ${res.locals.form}`)
      })
      const { server, port } = await listen(app)
      http = server
      const query = new URLSearchParams({
        response_type: 'code',
        client_id: 'spa',
        redirect_uri: CALLBACK,
        scope: 'openid',
        code_challenge: CHALLENGE,
        code_challenge_method: 'S256',
      })
      const page = `POST /page?${query} HTTP/1.1\r\nHost: localhost:3000\r\nOrigin: http://localhost:3000\r\nContent-Type: ${FORM}\r\nContent-Length: 11\r\nConnection: close\r\n\r\n`
      const answer = await talk(port, async (socket) => {
        if (how === 'once') return socket.write(`${page}consent=yes`)
        socket.write(page)
        await delay(20)
        socket.write('consent=yes')
      })
      expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\n[\s\S]*\r\n\r\nthe form of the page: consent=yes$/)
    },
  )

  it('is not taken for a part of itself, whatever else says its length (RFC 9112 §6.3, CWE-444)', async () => {
    const server = fixture()
    const listening = createServer({ insecureHTTPParser: true }, server.app).listen(0, '127.0.0.1')
    http = listening
    await once(listening, 'listening')
    const first = 'client_id=spa'
    const both = head(`Transfer-Encoding: chunked\r\nContent-Length: ${first.length}\r\nConnection: close`)
    const answer = await talk((listening.address() as AddressInfo).port, (socket) =>
      socket.write(`${both}${chunk(first)}${chunk('&client_id=other')}${chunk('')}`),
    )
    expect(bodyOf(answer)).toEqual({
      error: 'invalid_request',
      error_description: 'A parameter was sent more than once.',
    })
  })

  it('is waited for to its end, where something between Node and the router makes the request', async () => {
    const { oauth } = fixture()
    const made: IncomingMessage[] = []
    const listening = createServer(({ socket, method, url, headers }, res) => {
      const req = Object.assign(new IncomingMessage(socket), { method, url, headers, complete: true })
      res.on('finish', () => made.push(req))
      req.push(refresh)
      setTimeout(() => req.push(null), 30)
      oauth(req, res)
    }).listen(0, '127.0.0.1')
    http = listening
    await once(listening, 'listening')
    const answer = await talk((listening.address() as AddressInfo).port, (socket) => socket.write(last))
    expect(answer).toMatch(/^HTTP\/1.1 400 Bad Request\r\n/)
    expect(made.map(({ readableEnded }) => readableEnded)).toEqual([true])
  })

  it('is answered in the tests of a host that hold all clocks still', async () => {
    const port = await portOf(fixture())
    jest.useFakeTimers()
    const answer = await talk(port, (socket) => socket.write(last))
    expect(answer).toMatch(/^HTTP\/1.1 400 Bad Request\r\n/)
  })

  it('closes the connection that a host has read only a part of it from (RFC 9112 §9.6)', async () => {
    const server = fixture({
      before: (app) =>
        app.use((req, _res, next) => {
          req.once('data', () => {
            req.pause()
            req.body = { client_id: 'nobody' }
            next()
          })
        }),
    })
    const port = await portOf(server)
    const answer = await talk(port, (socket) =>
      socket.write(`${head('Content-Length: 60000')}client_id=nobody`),
    )
    expect(answer).toMatch(/^HTTP\/1.1 401 Unauthorized\r\n[\s\S]*\r\nConnection: close\r\n/)
  })
})

describe('a body that does not come as it was said', () => {
  it('answers 400 after ten seconds where the rest is never sent, however it dribbles', async () => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] })
    const server = fixture()
    const port = await portOf(server)
    const answer = talk(port, async (socket) => {
      socket.write(head('Content-Length: 1000'))
      const [accepted] = await once(http as Server, 'request')
      for (let second = 0; second < 10; second++) {
        socket.write('x')
        await once(accepted, 'data')
        expect(server.events).toEqual([])
        jest.advanceTimersByTime(1000)
      }
    })
    expect(await answer).toMatch(/^HTTP\/1.1 400 Bad Request\r\n/)
    expect(await answer).toMatch(/\r\nConnection: close\r\n/)
    expect(bodyOf(await answer)).toEqual({
      error: 'invalid_request',
      error_description: 'The body did not arrive in time.',
    })
  })

  it.each([
    ['with a length', 'Content-Length: 1000', 'grant_type=x'],
    ['in chunks', 'Transfer-Encoding: chunked', chunk('grant_type=x')],
  ])('refuses an upload %s that was aborted, and serves on', async (_name, header, part) => {
    const server = fixture()
    const port = await portOf(server)
    const socket = connect(port, '127.0.0.1')
    socket.write(head(header) + part)
    const [accepted] = await once(http as Server, 'request')
    await once(accepted, 'data')
    socket.destroy()
    await new Promise((resolve) => accepted.once('close', resolve))

    expect((await server.exchange(await server.code())).status).toBe(200)
    expect(server.eventsOf('request.refused')).toEqual([
      {
        type: 'request.refused',
        endpoint: 'token',
        status: 400,
        error: 'invalid_request',
        reason: 'cut_body',
        clientId: undefined,
        cause: undefined,
      },
    ])
  })

  it('answers a client that says it is done too early, and closes', async () => {
    const port = await portOf(fixture())
    const answer = await talk(port, (socket) => socket.end(`${head('Content-Length: 1000')}grant_type=x`))
    expect(answer).toMatch(/^HTTP\/1.1 400 Bad Request\r\n/)
  })

  it('does not take what follows a refused body for a request of its own (CWE-444)', async () => {
    const server = fixture()
    const port = await portOf(server)
    const smuggled = `${head('Content-Length: 13')}client_id=spa`
    const answer = await talk(port, (socket) => {
      socket.write(head(`Content-Length: ${LIMIT + smuggled.length}`))
      socket.write('x'.repeat(LIMIT) + smuggled)
    })
    expectTooLarge(answer)
    expect(answer.match(/HTTP\/1.1/g)).toHaveLength(1)
    expect(server.eventsOf('request.refused')).toHaveLength(1)
  })
})

describe('characters that no token has', () => {
  it.each(['%00', '%0A', '%20', '%22', '%7F', '%C3%A9', '%FF', '=', '.', 'a'])(
    'refuses a code and a refresh token with %s before the store is asked (RFC 6749 App. A.11, A.17)',
    async (character) => {
      const asked: string[] = []
      const store = new Proxy(memoryStore(), {
        get:
          (target, name: keyof TokenStore) =>
          (...given: [never, never, never]) => {
            asked.push(name)
            return target[name](...given)
          },
      })
      const server = fixture({ store })
      const code = await server.code()
      const { refresh_token } = await server.tokens()

      asked.length = 0
      const withCode = exchangeForm(code).replace(code, code + character)
      expectRefusal(await server.post('/token', withCode), 400, 'invalid_grant')
      const withToken = `grant_type=refresh_token&client_id=spa&refresh_token=${character}${refresh_token}`
      expectRefusal(await server.post('/token', withToken), 400, 'invalid_grant')
      expect(asked).toEqual([])
    },
  )
})

function head(headers: string, path = '/token'): string {
  return `POST /oauth${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${FORM}\r\n${headers}\r\n\r\n`
}

function chunk(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n`
}

/** All that comes back until the server closes the connection. */
async function talk(port: number, send: (socket: Socket) => unknown): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let received = ''
  // A server that has answered need not read on: what is still being sent then fails.
  socket.on('error', () => {})
  socket.on('data', (data) => {
    received += data
  })
  const closed = new Promise((resolve) => socket.on('close', resolve))
  await send(socket)
  await closed
  return received
}

function bodyOf(answer: string): unknown {
  return JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')))
}

function expectTooLarge(answer: string): void {
  expect(answer).toMatch(/^HTTP\/1.1 413 Payload Too Large\r\n/)
  expect(answer).toMatch(/\r\nCache-Control: no-store\r\n/)
  expect(answer).toMatch(/\r\nContent-Type: application\/json; charset=utf-8\r\n/)
  expect(answer).toMatch(/\r\nConnection: close\r\n/)
  expect(bodyOf(answer)).toEqual({ error: 'invalid_request', error_description: 'The body is too large.' })
}
