// Somebody wrote into the Redis of the grants. What cannot be read as a grant is trouble of ours: 503 and an event, never
// tokens, and never invalid_grant, on which a client throws its tokens away.
import { Redis } from 'ioredis'
import request, { type Response } from 'supertest'
import { APPROVAL, expectRefusal, expectUnavailable, type Fixture, fixture } from '../support/fixture'
import { type RedisServer, startRedis } from '../support/redis-server'

let redis: RedisServer
let admin: Redis
let server: Fixture

beforeAll(async () => {
  redis = await startRedis()
  admin = new Redis(redis.url, { disconnectTimeout: 50 })
})

beforeEach(async () => {
  await admin.flushall()
  server = fixture({
    store: redis.url,
    before: (app) =>
      app.get(
        '/guarded',
        (req, res, next) => server.oauth.requireAccessToken({ checkGrant: true })(req, res, next),
        (_req, res) => void res.end(),
      ),
  })
})

afterAll(async () => {
  admin.disconnect()
  await redis.stop()
})

/** The one grant, or the index. By their names alone they cannot be told apart: an id may begin with any letter. */
async function nameOf(type: 'string' | 'zset'): Promise<string> {
  const names = await admin.keys('oauth:{*')
  for (const name of names) if ((await admin.type(name)) === type) return name
  throw new Error(`no ${type}`)
}

/** Changes the one grant by a line of Lua: `record` is what the store keeps, and its last field what the grant says. */
async function corrupt(line: string): Promise<void> {
  await admin.eval(
    `local record = cmsgpack.unpack(redis.call('GET', KEYS[1]))
     local packed
     ${line}
     redis.call('SET', KEYS[1], packed or cmsgpack.pack(record))`,
    1,
    await nameOf('string'),
  )
}

function expectTrouble(response: Response): void {
  expectUnavailable(response)
  expect(server.eventsOf('store.trouble')).toHaveLength(1)
  server.events.splice(0)
}

/** The store knows many more of these, and has its own tests for them. */
const UNREADABLE_RECORDS: [title: string, line: string][] = [
  ['is no record', "packed = 'garbage'"],
  ['is JSON', 'packed = cjson.encode(record)'],
  ['was cut', 'packed = string.sub(cmsgpack.pack(record), 1, -2)'],
  ['has a link that is a string', "record[1] = '1'"],
  ['has no client', 'record[8] = false'],
]

/** Replaces a part of what the grant says, by a pattern of Lua. */
const says = (part: string, instead: string) => `record[9] = string.gsub(record[9], '${part}', '${instead}')`

/** In its list there are format, flags, subject, scope, time of login, then lifetime, redirect URI and challenge of the code. */
const UNREADABLE_GRANTS: [title: string, line: string][] = [
  ['says nothing', "record[9] = ''"],
  ['says it in half', 'record[9] = string.sub(record[9], 1, 40)'],
  ['is no JSON', says('%[', '(')],
  ['is null', "record[9] = 'null'"],
  ['is an object', "record[9] = '{}'"],
  ['is an empty list', "record[9] = '[]'"],
  ['is of another version', says('^%[1,', '[2,')],
  ['lost its user', says('"alice",', '')],
  ['has an empty user', says('"alice"', '""')],
  ['has a user that is an object', says('"alice"', '{"toString":"alice"}')],
  ['has a scope that is a list', says('("openid[^"]*")', '[%1]')],
  ['has a time that is a string', says(',(%d%d%d%d%d%d%d+),', ',"%1",')],
  ['has a session that is a number', says('%]$', ',{"sid":1}]')],
  ['has methods that are no list', says('%]$', ',{"amr":"pwd"}]')],
  ['has another flag', says('^%[1,3,', '[1,4,')],
  ['does not say whether there are refresh tokens', says('^%[1,3,', '[1,null,')],
  ['has a lifetime of the code that is a string', says(',60,', ',"60",')],
  ['lost the lifetime of its code', says(',60,', ',null,')],
  ['lost its redirect URI', says(',60,"[^"]*"', ',60,null')],
  ['was cut before its code challenge', says('(,60,"[^"]*").*', '%1]')],
  ['has half a code challenge', says('(,60,"[^"]*","[^"][^"][^"][^"])[^"]*"', '%1"')],
  ['has a nonce that is a number', says(',"[^"]*"%]$', ',1]')],
]

describe('a refresh', () => {
  it.each([...UNREADABLE_RECORDS, ...UNREADABLE_GRANTS])(
    'is answered with 503 for a record that %s',
    async (_title, line) => {
      const { refresh_token } = await server.tokens()
      const name = await nameOf('string')
      const sound = (await admin.getBuffer(name)) as Buffer
      await corrupt(line)
      const corrupted = await admin.getBuffer(name)
      expect(corrupted).not.toEqual(sound)

      expectTrouble(await server.refresh(refresh_token))
      expect(await admin.getBuffer(name)).toEqual(corrupted)

      await admin.set(name, sound)
      expect((await server.refresh(refresh_token)).status).toBe(200)
    },
  )
})

describe('an exchange of a code', () => {
  it.each([...UNREADABLE_GRANTS, ['lost all of its code', says(',60,.*', ',null,null,null]')] as const])(
    'is answered with 503 for a record that %s',
    async (_title, line) => {
      const code = await server.code()
      await corrupt(line)
      expectTrouble(await server.exchange(code))
    },
  )
})

describe('a record that cannot be read', () => {
  it('is 503 for revocation, introspection and the guard of an API as well', async () => {
    const { access_token, refresh_token } = await server.tokens({ client_id: 'post' })
    const client = { client_id: 'post', client_secret: 'post-secret' }
    await corrupt("packed = 'garbage'")

    for (const token of [access_token, refresh_token]) {
      expectTrouble(await server.post('/revoke', { ...client, token }))
      expectTrouble(await server.post('/introspect', { ...client, token }))
    }
    const guarded = await request(server.app).get('/guarded').auth(access_token, { type: 'bearer' })
    expectTrouble(guarded)
  })

  it('of another type is left as it is', async () => {
    const { refresh_token } = await server.tokens()
    const name = await nameOf('string')
    await admin.del(name)
    await admin.hset(name, 'a', 'hash')

    expectTrouble(await server.refresh(refresh_token))
    expect(await admin.hgetall(name)).toEqual({ a: 'hash' })
  })

  it.each([
    ['record', "packed = 'garbage'"],
    ['grant', "record[9] = ''"],
  ])('does not keep its user from seeing the other grants, and from ending all (%s)', async (_part, line) => {
    await server.tokens()
    await corrupt(line)
    const { refresh_token } = await server.tokens({ client_id: 'post' })

    const { grants } = await server.oauth.grants.list(APPROVAL.subject)
    expect(grants).toMatchObject([{ clientId: 'post' }])
    expect(server.eventsOf('store.trouble')).toMatchObject([{ operation: 'decode' }])
    expect(await server.oauth.grants.revokeAll(APPROVAL.subject, { clientId: 'post' })).toBe(1)
    const refused = await server.refresh(refresh_token, { client_id: 'post', client_secret: 'post-secret' })
    expectRefusal(refused, 400, 'invalid_grant')
    expect(await server.oauth.grants.revokeAll(APPROVAL.subject)).toBe(1)
    expect(await admin.keys('*')).toEqual([])
  })
})

test('an index of another type is 503 for a new grant, and no half of it is written', async () => {
  await server.code()
  const index = await nameOf('zset')
  await admin.flushall()
  await admin.set(index, 'no index')

  const denied = await server.authorize()
  expect(new URL(denied.headers.location as string).searchParams.get('error')).toBe('temporarily_unavailable')
  expect(server.eventsOf('store.trouble')).toHaveLength(1)
  expect(await admin.keys('*')).toEqual([index])
})
