import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { redisStore } from '../../lib'
import { startServer } from '../processes/start-server'
import { ES256, expectUnavailable, fixture } from '../support/fixture'
import { type RedisServer, startRedis } from '../support/redis-server'

let redis: RedisServer

beforeAll(async () => {
  redis = await startRedis()
})

afterAll(() => redis.stop())

describe('SIGTERM', () => {
  it.each(['memory', 'Redis'])(
    'under load: what is in flight is answered, then the process ends (%s)',
    async (kind) => {
      const server = await startServer({
        redis: kind === 'Redis' ? redis.url : undefined,
        holdCommits: true,
        storeTimeoutSeconds: 20,
      })
      const codes = await Promise.all(Array.from({ length: 50 }, () => server.code()))
      const replies = codes.map((code) => server.exchange(code))
      while ((await server.ask('inFlight')) < replies.length) await delay(5)
      const asked = performance.now()
      const ended = server.end('SIGTERM')

      const statuses = (await Promise.all(replies)).map(({ status }) => status)
      expect(statuses).toEqual(Array(replies.length).fill(200))
      expect(await ended).toEqual({ code: 0, signal: null })
      expect(performance.now() - asked).toBeLessThan(3000)
    },
  )

  it('in the middle of a stream of requests: each is answered or never taken', async () => {
    const server = await startServer({ redis: redis.url })
    const { refresh_token } = (await server.exchange(await server.code())).body
    let ending = false
    const outcomes = new Set<unknown>()
    const stream = Array.from({ length: 20 }, async () => {
      while (!ending) {
        outcomes.add(
          await server.refresh(refresh_token).then(
            ({ status }) => status,
            // The connection was idle, or is refused: nothing was lost with it.
            ({ code, message }) => (/ECONN|hang up/.test(`${code} ${message}`) ? 'not taken' : message),
          ),
        )
        await delay(1)
      }
    })
    await delay(200)
    expect(await server.end('SIGTERM')).toEqual({ code: 0, signal: null })
    ending = true
    await Promise.all(stream)
    expect([...outcomes].sort()).toEqual([200, 'not taken'])
  })
})

test('a router that is closed under a request: 503, and the next try works elsewhere', async () => {
  const real = redisStore({ url: redis.url })
  let closing: Promise<void> | undefined
  const server = fixture({
    store: {
      ...real,
      async find(key) {
        const found = await real.find(key)
        closing = server.oauth.close()
        return found
      },
    },
  })
  const other = fixture({ store: redis.url })
  const { refresh_token } = await other.tokens()

  expectUnavailable(await server.refresh(refresh_token))
  await closing
  expectUnavailable(await server.refresh(refresh_token))
  expect((await other.refresh(refresh_token)).status).toBe(200)
})

describe('close() leaves no handle open: the process ends by itself', () => {
  /** A host app that serves a code and a refusal, is told to close, and then has nothing left to do. */
  const program = `
    const { get, request } = require('node:http')
    const express = require('express')
    const { Redis } = require('ioredis')
    const { createTokenRouter, memoryStore } = require(${JSON.stringify(require.resolve('../../lib'))})

    const stores = {
      memory: () => memoryStore(),
      url: (url) => url,
      client: (url) => new Redis(url, { retryStrategy: () => 50 }).on('error', () => {}),
    }
    const [kind, url, pem] = process.argv.slice(1)
    const store = stores[kind](url)
    const redirect_uri = 'https://client.example/callback'
    const oauth = createTokenRouter({
      issuer: 'http://localhost:3000/oauth',
      secret: 'a-secret-of-at-least-thirty-two-bytes!',
      signingKeys: [pem],
      clients: [{ client_id: 'spa', token_endpoint_auth_method: 'none', redirect_uris: [redirect_uri] }],
      findAccount: () => ({}),
      authorize: () => ({ subject: 'alice' }),
      store,
      onEvent() {},
    })
    const server = express().use('/oauth', oauth).use(oauth.wellKnown).listen(0, '127.0.0.1', async () => {
      const ask = (path, method) =>
        new Promise((resolve) => {
          const { port } = server.address()
          const sent = request({ host: '127.0.0.1', port, path, method, agent: false }, (response) =>
            response.resume().on('end', () => resolve(response.statusCode)))
          sent.end()
        })
      const query = new URLSearchParams({
        response_type: 'code', client_id: 'spa', redirect_uri,
        code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', code_challenge_method: 'S256',
      })
      const statuses = [await ask('/oauth/authorize?' + query, 'GET'), await ask('/oauth/token', 'POST')]
      console.log('served ' + statuses)
      process.stdin.once('data', async () => {
        process.stdin.destroy()
        server.close()
        await oauth.close()
        if (kind === 'client') {
          console.log(store.status)
          store.disconnect()
        }
        console.log('closed')
      })
    })`

  it.each<[title: string, kind: string, url: () => string, output: string]>([
    ['memory', 'memory', () => '', 'served 303,400\nclosed\n'],
    ['Redis', 'url', () => redis.url, 'served 303,400\nclosed\n'],
    ['Redis, frozen meanwhile', 'url', () => redis.url, 'served 303,400\nclosed\n'],
    ['no Redis there', 'url', () => 'redis://127.0.0.1:1', 'served 303,400\nclosed\n'],
    [
      "a client of the host's, which stays open",
      'client',
      () => redis.url,
      'served 303,400\nready\nclosed\n',
    ],
  ])('%s', async (title, kind, url, expected) => {
    const pem = ES256.export({ type: 'pkcs8', format: 'pem' }).toString()
    const child = spawn(process.execPath, ['--require', 'tsx/cjs', '--eval', program, kind, url(), pem])
    const exited = once(child, 'exit')
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        output += chunk
      })
    }
    await until(child, () => output.includes('served'))
    if (title.includes('frozen')) redis.pause()
    child.stdin.write('close\n')
    await until(child, () => output.includes('closed'))
    const closed = performance.now()
    const hanging = setTimeout(() => child.kill('SIGKILL'), 5000)
    const [code] = await exited
    clearTimeout(hanging)
    redis.resume()

    expect({ code, output }).toEqual({ code: 0, output: expected })
    expect(performance.now() - closed).toBeLessThan(2000)
  })
})

async function until(child: ChildProcess, condition: () => boolean): Promise<void> {
  while (!condition() && child.exitCode === null) await delay(10)
}
