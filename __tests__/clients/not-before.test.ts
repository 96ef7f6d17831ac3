// All that users granted to one client is ended by a moment in the client's record: nothing older is good any more.
import request from 'supertest'
import { type Client, memoryStore, type TokenStore } from '../../lib'
import { CLIENTS, expectRefusal, expectUnavailable, fixture } from '../support/fixture'

const START = Date.parse('2026-03-04T05:06:07Z')
const POST = { client_id: 'post', client_secret: 'post-secret' }

/** A server whose clients may change while it runs, and whose clock the test sets. */
function server(options: { store?: TokenStore } = {}) {
  const clock = { now: START }
  const now = () => clock.now
  const records = new Map(CLIENTS.map((client) => [client.client_id, client]))
  const self = fixture({
    now,
    store: memoryStore({ now }),
    clients: (id) => records.get(id),
    audience: 'api',
    before: (app) =>
      app.get(
        '/guarded',
        (req, res, next) => self.oauth.requireAccessToken({ checkGrant: true })(req, res, next),
        (_req, res) => void res.json({}),
      ),
    ...options,
  })
  return Object.assign(self, {
    clock,
    records,
    change(id: string, members: Partial<Client>) {
      records.set(id, { ...records.get(id), ...members } as Client)
    },
    guarded: (token: string) => request(self.app).get('/guarded').auth(token, { type: 'bearer' }),
    introspect: (token: string) => self.post('/introspect', { token }).auth('api', 'api-secret'),
  })
}

const atOnce = () => new Date(START + 1000)

describe('a grant made before `notBefore` of its client', () => {
  it.each<[string, Date | string]>([
    ['a Date', atOnce()],
    ['what JSON makes of one', JSON.parse(JSON.stringify(atOnce()))],
    ['a time of another zone', '2026-03-04T07:06:08+02:00'],
  ])('gets no tokens any more, nor does its code; a new one does (%s)', async (_form, notBefore) => {
    const oauth = server()
    const [code, { refresh_token }] = [await oauth.code(), await oauth.tokens()]
    const others = await oauth.tokens({ client_id: 'other' })
    oauth.clock.now += 2000
    oauth.change('spa', { notBefore })

    expectRefusal(await oauth.exchange(code), 400, 'invalid_grant')
    expectRefusal(await oauth.refresh(refresh_token), 400, 'invalid_grant')
    expect(oauth.eventsOf('request.refused').map(({ reason }) => reason)).toEqual([
      'granted_before_not_before',
      'granted_before_not_before',
    ])

    const anew = await oauth.tokens()
    expect((await oauth.refresh(anew.refresh_token)).status).toBe(200)
    expect((await oauth.refresh(others.refresh_token, { client_id: 'other' })).status).toBe(200)
  })

  it('is judged by when it was made, not by when the user had signed in or it was used last', async () => {
    const oauth = server() // its users signed in months ago
    const { refresh_token } = await oauth.tokens({ client_id: 'post' })
    oauth.clock.now += 5000
    expect((await oauth.refresh(refresh_token, POST)).status).toBe(200)

    oauth.change('post', { notBefore: new Date(START) })
    expect((await oauth.refresh(refresh_token, POST)).status).toBe(200)
    oauth.change('post', { notBefore: new Date(START + 1) })
    expectRefusal(await oauth.refresh(refresh_token, POST), 400, 'invalid_grant')
    oauth.change('post', { notBefore: undefined })
    expect((await oauth.refresh(refresh_token, POST)).status).toBe(200)
  })

  it('makes no token look good: introspection, also by an API, and requireAccessToken({ checkGrant })', async () => {
    const oauth = server()
    const tokens = await oauth.tokens({ client_id: 'post' })
    const asked = async () => [
      (await oauth.introspect(tokens.access_token)).body.active,
      (await oauth.post('/introspect', { ...POST, token: tokens.access_token })).body.active,
      (await oauth.post('/introspect', { ...POST, token: tokens.refresh_token })).body.active,
      (await oauth.guarded(tokens.access_token)).status,
    ]
    expect(await asked()).toEqual([true, true, true, 200])

    oauth.clock.now += 2000
    oauth.change('post', { notBefore: atOnce() })
    expect(await asked()).toEqual([false, false, false, 401])
    expect((await oauth.introspect(tokens.access_token)).body).toEqual({ active: false })
    expect((await oauth.guarded(tokens.access_token)).body.error).toBe('invalid_token')
  })

  it('is not among the devices of its user; other grants are', async () => {
    const oauth = server()
    await oauth.tokens()
    await oauth.tokens({ client_id: 'post' })
    oauth.clock.now += 2000
    await oauth.tokens()
    const { length: before } = (await oauth.oauth.grants.list('alice')).grants
    oauth.change('spa', { notBefore: atOnce() })

    const { grants } = await oauth.oauth.grants.list('alice')
    expect([before, grants.length]).toEqual([3, 2])
    expect(grants.map(({ clientId }) => clientId).sort()).toEqual(['post', 'spa'])
    expect(grants.find(({ clientId }) => clientId === 'spa')?.createdAt).toEqual(new Date(START + 2000))
    // What cannot be used any more is still there to be ended.
    expect(await oauth.oauth.grants.revokeAll('alice')).toBe(3)
  })

  it('has its replay seen all the same (RFC 9700 §4.14.2)', async () => {
    const oauth = server()
    const { refresh_token } = await oauth.tokens()
    await oauth.refresh(refresh_token)
    oauth.clock.now += 120_000
    oauth.change('spa', { notBefore: new Date(START + 60_000) })
    expectRefusal(await oauth.refresh(refresh_token), 400, 'invalid_grant')
    expect(oauth.eventsOf('replay')).toMatchObject([{ revoked: true }])
  })

  it('can still be revoked by its client (RFC 7009 §2.1)', async () => {
    const oauth = server()
    const { refresh_token } = await oauth.tokens()
    oauth.clock.now += 2000
    oauth.change('spa', { notBefore: atOnce() })
    expect((await oauth.post('/revoke', { client_id: 'spa', token: refresh_token })).status).toBe(200)
    expect(oauth.eventsOf('grant.revoked')).toMatchObject([{ by: 'client', count: 1 }])
  })

  it('is asked for of `clients` at a guarded API, and trouble there is no 401', async () => {
    let down = false
    const records = new Map(CLIENTS.map((client) => [client.client_id, client]))
    const self = fixture({
      clients(id) {
        if (down) throw new Error('The database is down.')
        return records.get(id)
      },
      before: (app) =>
        app.get('/guarded', (req, res, next) =>
          self.oauth.requireAccessToken({ checkGrant: true })(req, res, next),
        ),
    })
    const { access_token } = await self.tokens()
    down = true
    const response = await request(self.app).get('/guarded').auth(access_token, { type: 'bearer' })
    expectUnavailable(response)
    await expect(self.oauth.grants.list('alice')).rejects.toMatchObject({ status: 503 })
  })
})

describe('a client that is not registered any more', () => {
  it('ends what was granted to it, and nothing looks good', async () => {
    const oauth = server()
    const { access_token, refresh_token } = await oauth.tokens({ client_id: 'post' })
    oauth.records.delete('post')

    expectRefusal(await oauth.refresh(refresh_token, POST), 401, 'invalid_client')
    expect((await oauth.introspect(access_token)).body).toEqual({ active: false })
    expect((await oauth.guarded(access_token)).status).toBe(401)
    // It may come back, so its grants are there for the user to end.
    expect((await oauth.oauth.grants.list('alice')).grants).toMatchObject([{ clientId: 'post' }])
  })
})

it.each([
  'yesterday',
  '2026-03-04',
  '2026-03-04T05:06:07',
  '2026-13-04T05:06:07Z',
  1772600767,
  true,
  new Date('never'),
])('a `notBefore` that is no moment is a fault of the record: %p', async (notBefore) => {
  const faulty = { ...(CLIENTS[0] as Client), notBefore } as Client
  const create = () => fixture({ clients: [faulty] })
  expect(create).toThrow(expect.objectContaining({ code: 'bad_not_before', option: 'clients[0].notBefore' }))
  const found = fixture({ clients: () => faulty })
  expectUnavailable(await found.refresh('x'))
  expect(found.eventsOf('host.trouble')).toMatchObject([
    { operation: 'clients', cause: { code: 'bad_not_before' } },
  ])
})
