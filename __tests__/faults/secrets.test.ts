// Whoever reads the Redis, what is sent to it, the events or the log finds nothing that opens a door.
import { inspect } from 'node:util'
import { Redis } from 'ioredis'
import type { Response } from 'supertest'
import {
  CALLBACK,
  CHALLENGE,
  CLIENTS,
  ES256,
  type Fixture,
  fixture,
  SECRET,
  VERIFIER,
} from '../support/fixture'
import { type RedisServer, startRedis } from '../support/redis-server'
import { startProxy, type TcpProxy } from './tcp-proxy'

let redis: RedisServer
let proxy: TcpProxy
let admin: Redis

beforeEach(async () => {
  redis = await startRedis()
  proxy = await startProxy(redis.port)
  admin = new Redis(redis.url, { disconnectTimeout: 50 })
})

afterEach(async () => {
  admin.disconnect()
  proxy.close()
  await redis.stop()
})

/** Named strings and bytes that nobody but their owner may hold. */
type Secrets = Map<string, string | Buffer>

/** What each kind of token gives away: the whole, and the parts that make it good. */
function note(secrets: Secrets, { body }: Response): void {
  for (const name of ['access_token', 'id_token']) {
    if (body[name] === undefined) continue
    secrets.set(`${name} ${secrets.size}`, body[name])
    secrets.set(`signature of ${name} ${secrets.size}`, body[name].split('.')[2])
  }
  if (body.refresh_token !== undefined) noteLink(secrets, body.refresh_token)
}

/** A code or refresh token: version, partition, 16 bytes of grant id, link, 16 bytes of MAC. */
function noteLink(secrets: Secrets, token: string): void {
  const bytes = Buffer.from(token, 'base64url')
  secrets.set(`token ${secrets.size}`, token)
  secrets.set(`grant id ${secrets.size}`, bytes.subarray(3, 19))
  secrets.set(`MAC ${secrets.size}`, bytes.subarray(23))
}

/** All that a client does, well and badly; what it got is noted. */
async function useAll(server: Fixture): Promise<Secrets> {
  const secrets: Secrets = new Map<string, string | Buffer>([
    ['host secret', SECRET],
    ['verifier', VERIFIER],
    ['web secret', 'web-secret'],
    ['post secret', 'post-secret'],
    ['wrong secret', 'a-secret-with-a-typing-error'],
    ['signing key', Buffer.from(ES256.export({ format: 'jwk' }).d as string, 'base64url')],
  ])
  const post = { client_id: 'post', client_secret: 'post-secret' }
  const seen = async (answer: PromiseLike<Response>) => {
    const response = await answer
    note(secrets, response)
    return response
  }

  const code = await server.code()
  noteLink(secrets, code)
  const { body } = await seen(server.exchange(code))
  const { body: next } = await seen(server.refresh(body.refresh_token))
  await seen(server.refresh(body.refresh_token))
  await seen(server.exchange(code))
  await seen(server.refresh(next.refresh_token, { scope: 'more' }))
  await seen(server.refresh(next.refresh_token, { client_id: 'other' }))

  const kept = await server.code({ client_id: 'post' })
  noteLink(secrets, kept)
  await seen(server.exchange(kept, { ...post, client_secret: 'a-secret-with-a-typing-error' }))
  const { body: tokens } = await seen(server.exchange(kept, post))
  await seen(server.refresh(tokens.refresh_token, post))
  await server.post('/introspect', { ...post, token: tokens.access_token })
  await server.post('/revoke', { client_id: 'spa', token: tokens.refresh_token })

  const web = await server.code({ client_id: 'web' })
  noteLink(secrets, web)
  await seen(
    server.exchange(web, { client_id: undefined, code_verifier: `${VERIFIER}x` }).auth('web', 'web-secret'),
  )
  const unused = await server.code()
  noteLink(secrets, unused)

  const asked = { response_type: 'code', redirect_uri: CALLBACK, scope: 'openid', nonce: 'a-nonce' }
  const challenge = { code_challenge: CHALLENGE, code_challenge_method: 'S256' }
  const pushed = await server.post('/par', { ...post, ...asked, ...challenge })
  const requestUri = pushed.body.request_uri as string
  secrets.set('request URI', requestUri.split(':').at(-1) as string)
  const query = { client_id: 'post', request_uri: requestUri }
  for (let i = 0; i < 2; i++) await server.get(`/oauth/authorize?${new URLSearchParams(query)}`)
  // One that is kept, not answered.
  const waiting = await server.post('/par', { ...post, ...asked, ...challenge })
  secrets.set('waiting request URI', waiting.body.request_uri.split(':').at(-1))
  return secrets
}

/** Those secrets that a string or some bytes hold, as they are or in an encoding. */
function found(secrets: Secrets, haystack: string | Buffer): string[] {
  const bytes = Buffer.from(haystack as string)
  return [...secrets].flatMap(([name, secret]) => {
    const raw = Buffer.from(secret as string)
    const spellings = [
      raw,
      ...(['base64url', 'hex'] as const).map((encoding) => Buffer.from(raw.toString(encoding))),
    ]
    return spellings.some((spelling) => bytes.includes(spelling)) ? [name] : []
  })
}

test('no key and no value in Redis holds a secret, nor does any command that is sent to it', async () => {
  const commands: string[] = []
  const monitor = await admin.monitor()
  monitor.on('monitor', (_time, args) => commands.push(inspect(args, { maxStringLength: null })))
  const server = fixture({ store: redis.url })
  const secrets = await useAll(server)

  const kept: Buffer[] = []
  for (const key of await admin.keysBuffer('*')) {
    const type = await admin.type(key)
    kept.push(key)
    if (type === 'string') kept.push((await admin.getBuffer(key)) as Buffer)
    else if (type === 'zset') kept.push(...(await admin.zrangeBuffer(key, '0', '-1')))
    else throw new Error(`a key of type ${type}`)
  }
  monitor.disconnect()

  const dump = Buffer.concat(kept)
  expect(dump.includes('alice')).toBe(true)
  expect(found(secrets, dump)).toEqual([])
  // `advance` is among them, and EVAL sends the scripts themselves.
  expect(commands.length).toBeGreaterThan(20)
  expect(commands.join('\n')).toContain('alice')
  expect(found(secrets, commands.join('\n'))).toEqual([])
  for (const { client_secret_hash } of CLIENTS)
    if (client_secret_hash) expect(dump.includes(`${client_secret_hash}`)).toBe(false)
}, 20_000)

test('no event and no line of the log holds a secret, while all is well and while Redis is in trouble', async () => {
  const lines: string[] = []
  const listeners = (['log', 'info', 'warn', 'error', 'debug'] as const).map((name) =>
    jest.spyOn(console, name).mockImplementation((...args) => void lines.push(args.map(String).join(' '))),
  )
  const listened = fixture({ store: proxy.url })
  const silent = fixture({ store: proxy.url, onEvent: undefined })
  const secrets = new Map([...(await useAll(listened)), ...(await useAll(silent))])

  const troubles: [begin: () => unknown, end: () => unknown][] = [
    [() => admin.config('SET', 'maxmemory', '1'), () => admin.config('SET', 'maxmemory', '0')],
    [() => (proxy.mode = 'drop-replies'), () => (proxy.mode = 'pass')],
    [() => redis.pause(), () => redis.resume()],
  ]
  for (const server of [listened, silent]) {
    const { refresh_token, access_token } = await server.tokens()
    const code = await server.code()
    noteLink(secrets, refresh_token)
    noteLink(secrets, code)
    secrets.set(`access token ${secrets.size}`, access_token)
    for (const [begin, end] of troubles) {
      await begin()
      const answers = await Promise.all([
        server.refresh(refresh_token),
        server.exchange(code),
        server.authorize(),
      ])
      expect(answers.map(({ status }) => status)).toEqual([503, 503, 303])
      expect(found(secrets, answers.map(({ text }) => text).join('\n'))).toEqual([])
      await end()
      await server.refresh('A'.repeat(52))
    }
  }
  for (const listener of listeners) listener.mockRestore()

  const events = inspect(listened.events, {
    depth: null,
    showHidden: true,
    maxStringLength: null,
    maxArrayLength: null,
  })
  expect(listened.eventsOf('store.trouble').length).toBeGreaterThan(5)
  expect(found(secrets, events)).toEqual([])
  expect(lines.length).toBeGreaterThan(5)
  expect(found(secrets, lines.join('\n'))).toEqual([])
}, 20_000)
