// Last night's backup of the store is restored. What worked then works again, since nothing else is known of it; but no
// token does that did not work then, save one that proves itself to be the next. And `notBefore` holds.
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { copyFileSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { DatabaseSync } from '@photostructure/sqlite'
import { Redis } from 'ioredis'
import request from 'supertest'
import { type Client, redisStore, type TokenStore } from '../../lib'
import { postgresStore } from '../../lib/stores/postgres'
import { sqliteStore } from '../../lib/stores/sqlite'
import { locate } from '../../scripts/requirements.mjs'
import { CLIENTS, expectRefusal, type Fixture, fixture } from '../support/fixture'
import { startPostgres } from '../support/postgres-server'
import { startRedis } from '../support/redis-server'

interface BackedUp {
  readonly store: TokenStore
  backUp(): Promise<void>
  restore(): Promise<void>
  stop(): Promise<void>
}

const directory = mkdtempSync(join(tmpdir(), 'backup-'))
afterAll(() => rmSync(directory, { recursive: true }))

/** RDB, as BGSAVE makes it and as managed services keep it. */
async function onRedis(): Promise<BackedUp> {
  const redis = await startRedis()
  const admin = new Redis(redis.url, { retryStrategy: () => 50 })
  admin.on('error', () => {})
  const copy = join(directory, 'redis.rdb')
  const [, home] = (await admin.config('GET', 'dir')) as [string, string]
  return {
    store: redisStore({ url: redis.url }),
    async backUp() {
      await admin.save()
      copyFileSync(join(home, 'dump.rdb'), copy)
    },
    async restore() {
      await redis.kill()
      copyFileSync(copy, join(home, 'dump.rdb'))
      await redis.restart()
      while ((await admin.ping().catch(String)) !== 'PONG') await delay(10)
    },
    async stop() {
      admin.disconnect()
      await redis.stop()
    },
  }
}

async function onPostgres(): Promise<BackedUp> {
  const server = await startPostgres()
  const store = postgresStore({ url: server.url })
  await store.createTables()
  const copy = join(directory, 'postgres.sql')
  const run = (program: string, ...args: string[]) =>
    promisify(execFile)(join(dirname(realpathSync(locate('postgres'))), program), [
      ...args,
      '--dbname',
      server.url,
    ])
  return {
    store,
    async backUp() {
      await run('pg_dump', '--clean', '--file', copy)
    },
    async restore() {
      await run('psql', '--quiet', '--set', 'ON_ERROR_STOP=1', '--file', copy)
    },
    async stop() {
      await store.close()
      await server.stop()
    },
  }
}

/** As docs/sql-stores.md says. */
async function onSqlite(): Promise<BackedUp> {
  const [file, copy] = [join(directory, 'oauth.db'), join(directory, 'copy.db')]
  let current = sqliteStore({ file })
  return {
    store: new Proxy(current, {
      get:
        (_first, name: keyof TokenStore) =>
        (...given: unknown[]) =>
          Reflect.apply(current[name], current, given),
    }),
    async backUp() {
      const database = new DatabaseSync(file)
      database.exec(`VACUUM INTO '${copy}'`)
      database.close()
    },
    async restore() {
      // As by another process: this one holds on to a file until its statements are collected.
      await current.close()
      current = sqliteStore({ file: copy })
    },
    stop: () => current.close(),
  }
}

/** The users that the test brings about: one for each kind of token, for none to disturb another. */
async function livingServer(store: TokenStore) {
  const accounts = new Map<string, Date>()
  const clients = new Map(CLIENTS.map((client) => [client.client_id, client]))
  const options = {
    store,
    overlap: 0,
    codeReplaySeconds: 0,
    findAccount: (subject: string) => ({ notBefore: accounts.get(subject) }),
    clients: (id: string) => clients.get(id),
  }
  let approved = ''
  const server: Fixture = fixture({
    ...options,
    authorize: () => ({ subject: approved }),
    before: (app) =>
      app.get(
        '/guarded',
        (req, res, next) => server.oauth.requireAccessToken({ checkGrant: true })(req, res, next),
        (_req, res) => void res.json({}),
      ),
  })
  const code = (subject: string = randomUUID(), clientId = 'spa') => {
    approved = subject
    return server.code({ client_id: clientId })
  }
  async function signIn(subject?: string, clientId = 'spa') {
    const { body } = await server.exchange(await code(subject, clientId), { client_id: clientId })
    return body as { access_token: string; refresh_token: string }
  }
  async function refreshed(token: string, times: number): Promise<string[]> {
    const tokens = [token]
    for (let i = 0; i < times; i++)
      tokens.push((await server.refresh(tokens[i] as string)).body.refresh_token)
    return tokens
  }
  const reasons = () => server.eventsOf('request.refused').map(({ reason }) => reason)
  return { server, options, accounts, clients, code, signIn, refreshed, reasons }
}

it.each([
  ['Redis', onRedis],
  ['PostgreSQL', onPostgres],
  ['SQLite', onSqlite],
])(
  '%s: what worked then works again, what did not does not, and notBefore holds',
  async (_name, start) => {
    const place = await start()
    const { server, options, accounts, clients, code, signIn, refreshed, reasons } = await livingServer(
      place.store,
    )
    const guarded = async (token: string) =>
      (await request(server.app).get('/guarded').auth(token, { type: 'bearer' })).status
    const refused = async (token: string, reason: string, as: Record<string, string> = {}) => {
      server.events.length = 0
      expectRefusal(await server.refresh(token, as), 400, 'invalid_grant')
      expect(reasons()).toEqual([reason])
    }

    // That evening. Each is at link 1, but the one that is spent already.
    const current = await signIn()
    const next = await signIn()
    const ahead = await signIn()
    const [spent] = (await refreshed((await signIn()).refresh_token, 2)) as [string, string, string]
    const revoked = await signIn('revoked')
    const loggedOut = await signIn('logged out')
    const ofClient = await signIn('somebody', 'other')
    const unspentCode = await code()
    const shortCode = await (async () => {
      const brief = fixture({
        ...options,
        lifetimes: { codeSeconds: 1 },
        authorize: () => ({ subject: 'brief' }),
      })
      return brief.code()
    })()
    await place.backUp()

    // The day after.
    const [, second] = (await refreshed(current.refresh_token, 1)) as [string, string]
    const [, nextToken] = (await refreshed(next.refresh_token, 1)) as [string, string]
    const aheadTokens = await refreshed(ahead.refresh_token, 3)
    expect((await server.exchange(unspentCode)).status).toBe(200)
    expect((await server.exchange(shortCode)).status).toBe(200)
    const later = await signIn()
    const laterCode = await code()
    expect(await server.oauth.grants.revokeAll('revoked')).toBe(1)
    expect(await server.oauth.grants.revokeAll('logged out')).toBe(1)
    await delay(1100) // `notBefore` is compared in whole seconds; and the short code is too old by now
    accounts.set('logged out', new Date())
    clients.set('other', { ...clients.get('other'), notBefore: new Date() } as Client)
    await place.restore()
    server.events.length = 0

    // Current then, though it is spent: nothing that is left knows of that.
    expect((await server.refresh(current.refresh_token)).body.refresh_token).toBe(second)
    // The one after it: it cannot be made without the secret, so this server gave it to that client.
    expect((await server.refresh(nextToken)).status).toBe(200)
    expect(server.eventsOf('grant.caught-up')).toMatchObject([{ from: 1, to: 2 }])
    // Further ahead: refused, and the grant lives.
    await refused(aheadTokens[3] as string, 'refresh_token_ahead')
    await refused(aheadTokens[2] as string, 'refresh_token_ahead')
    expect((await server.refresh(ahead.refresh_token)).status).toBe(200)
    // Spent then: a replay, and the end of its grant, as it would have been.
    await refused(spent, 'spent_refresh_token')
    expect(server.eventsOf('replay')).toMatchObject([{ revoked: true }])
    // Granted since, and so unknown.
    await refused(later.refresh_token, 'unknown_refresh_token')
    expect(await guarded(later.access_token)).toBe(401)
    server.events.length = 0
    expectRefusal(await server.exchange(laterCode), 400, 'invalid_grant')
    expect(reasons()).toEqual(['unknown_code'])
    // A code that was not redeemed then: once more, as long as it lives; afterwards not.
    expect((await server.exchange(unspentCode)).status).toBe(200)
    expectRefusal(await server.exchange(unspentCode), 400, 'invalid_grant')
    server.events.length = 0
    expectRefusal(await server.exchange(shortCode), 400, 'invalid_grant')
    expect(reasons()).toEqual(['expired_code'])
    // Revoked since: it is there again, which is why there is `notBefore`.
    expect((await server.refresh(revoked.refresh_token)).status).toBe(200)
    expect(await guarded(revoked.access_token)).toBe(200)
    await refused(loggedOut.refresh_token, 'authenticated_before_not_before')
    await refused(ofClient.refresh_token, 'granted_before_not_before', { client_id: 'other' })
    expect(await guarded(ofClient.access_token)).toBe(401)
    expect(server.eventsOf('store.trouble')).toEqual([])

    await place.stop()
  },
  60_000,
)
