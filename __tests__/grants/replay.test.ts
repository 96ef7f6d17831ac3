import { memoryStore } from '../../lib'
import {
  CALLBACK,
  expectRefusal,
  expectUnavailable,
  type Fixture,
  type FixtureOptions,
  fixture,
} from '../support/fixture'

/** A server whose store has a clock that the test moves, in seconds. `api` may ask about its access tokens. */
function clocked(options: FixtureOptions = {}) {
  const clock = { seconds: 0 }
  const store = memoryStore({ now: () => clock.seconds * 1000 })
  return { clock, store, server: fixture({ store, audience: 'api', ...options }) }
}

async function isActive(server: Fixture, token: string): Promise<boolean> {
  const { body } = await server.post('/introspect', { token }).auth('api', 'api-secret')
  return body.active
}

describe('a spent code comes back', () => {
  it('ends the grant and all tokens that came of the code, from 5 seconds on (RFC 6749 §4.1.2)', async () => {
    const { clock, server } = clocked()
    const code = await server.code()
    const { body: tokens } = await server.exchange(code)
    clock.seconds = 5

    expect(await isActive(server, tokens.access_token)).toBe(true)
    expectRefusal(await server.exchange(code), 400, 'invalid_grant')
    expect(await isActive(server, tokens.access_token)).toBe(false)
    expectRefusal(await server.refresh(tokens.refresh_token), 400, 'invalid_grant')
    expect(await server.oauth.grants.list('alice')).toEqual({ grants: [], next: undefined })

    const whose = { grant: expect.any(String), clientId: 'spa', subject: 'alice' }
    expect(server.eventsOf('replay')).toEqual([
      { type: 'replay', kind: 'code', presented: 0, current: 1, revoked: true, ...whose },
    ])
    expect(server.eventsOf('grant.revoked')).toEqual([
      { type: 'grant.revoked', by: 'replay', count: 1, ...whose },
    ])
  })

  it('is only refused within the first 5 seconds: a browser fired its callback twice', async () => {
    const { clock, server } = clocked()
    const code = await server.code()
    const { body: tokens } = await server.exchange(code)
    clock.seconds = 4.999

    expectRefusal(await server.exchange(code), 400, 'invalid_grant')
    expect(await isActive(server, tokens.access_token)).toBe(true)
    expect((await server.refresh(tokens.refresh_token)).status).toBe(200)
    expect(server.eventsOf('replay')).toMatchObject([{ kind: 'code', revoked: false }])
    expect(server.eventsOf('grant.revoked')).toEqual([])
  })

  it('ends the grant at once where codeReplaySeconds is 0', async () => {
    const { server } = clocked({ codeReplaySeconds: 0 })
    const code = await server.code()
    const { body: tokens } = await server.exchange(code)

    expectRefusal(await server.exchange(code), 400, 'invalid_grant')
    expectRefusal(await server.refresh(tokens.refresh_token), 400, 'invalid_grant')
  })

  it('ends the grant however often it has been refreshed since, and after the code itself has expired', async () => {
    const { clock, server } = clocked()
    const code = await server.code()
    let { body: tokens } = await server.exchange(code)
    for (let rotation = 1; rotation <= 6; rotation++) {
      clock.seconds += 3600
      tokens = (await server.refresh(tokens.refresh_token)).body
    }

    expectRefusal(await server.exchange(code), 400, 'invalid_grant')
    expectRefusal(await server.refresh(tokens.refresh_token), 400, 'invalid_grant')
  })

  it('ends a grant without refresh tokens as well: its access token is no longer active (RFC 6749 §4.1.2)', async () => {
    const { clock, server } = clocked()
    const code = await server.code({ scope: 'openid' })
    const { body: tokens } = await server.exchange(code)
    clock.seconds = 5

    expectRefusal(await server.exchange(code), 400, 'invalid_grant')
    expect(await isActive(server, tokens.access_token)).toBe(false)
  })

  it.each([
    ['by another client', { client_id: 'other' }],
    ['with a wrong verifier', { code_verifier: 'another-verifier-of-at-least-43-characters-at-all' }],
    ['without its verifier', { code_verifier: undefined }],
    ['with another redirect URI', { redirect_uri: `${CALLBACK}/` }],
  ])('is refused and nothing is revoked when it comes %s (OAuth 2.1 §7.5.2)', async (_how, wrong) => {
    const { clock, server } = clocked()
    const code = await server.code()
    const { body: tokens } = await server.exchange(code)
    clock.seconds = 10

    expectRefusal(await server.exchange(code, wrong), 400, 'invalid_grant')
    expect(server.eventsOf('replay')).toEqual([])
    expect((await server.refresh(tokens.refresh_token)).status).toBe(200)
  })
})

describe('a spent refresh token comes back', () => {
  it.each([1, 2, 4, 5, 9])('ends the grant from %i rotations back (OAuth 2.1 §4.3.1)', async (depth) => {
    const { clock, server } = clocked()
    const first = await server.tokens()
    let latest = first
    for (let rotation = 1; rotation <= depth; rotation++) {
      clock.seconds += 61
      latest = (await server.refresh(latest.refresh_token)).body
    }
    clock.seconds += 60

    expectRefusal(await server.refresh(first.refresh_token), 400, 'invalid_grant')
    expect(await isActive(server, latest.access_token)).toBe(false)
    expectRefusal(await server.refresh(latest.refresh_token), 400, 'invalid_grant')

    const whose = { grant: expect.any(String), clientId: 'spa', subject: 'alice' }
    expect(server.eventsOf('replay')).toEqual([
      {
        type: 'replay',
        kind: 'refresh_token',
        presented: 1,
        current: depth + 1,
        revoked: true,
        ...whose,
      },
    ])
    expect(server.eventsOf('grant.revoked')).toEqual([
      { type: 'grant.revoked', by: 'replay', count: 1, ...whose },
    ])
  })

  it.each([
    ['a wider scope', { scope: 'openid admin' }],
    ['a malformed scope', { scope: '"' }],
  ])(
    'is seen all the same together with %s, so that nobody tries a stolen token out',
    async (_what, bogus) => {
      const { server } = clocked({ overlap: 0 })
      const first = await server.tokens()
      const { body: second } = await server.refresh(first.refresh_token)

      expectRefusal(await server.refresh(first.refresh_token, bogus), 400, 'invalid_grant')
      expectRefusal(await server.refresh(second.refresh_token), 400, 'invalid_grant')
    },
  )

  it.each([
    ['refuses the user', () => undefined],
    [
      'fails',
      () => {
        throw new Error('the user table is away')
      },
    ],
  ])('is seen all the same while findAccount %s', async (_how, answer) => {
    let trouble = false
    const { server } = clocked({ overlap: 0, findAccount: () => (trouble ? answer() : {}) })
    const first = await server.tokens()
    const { body: second } = await server.refresh(first.refresh_token)

    trouble = true
    expectRefusal(await server.refresh(first.refresh_token), 400, 'invalid_grant')
    trouble = false
    expectRefusal(await server.refresh(second.refresh_token), 400, 'invalid_grant')
  })

  it('is seen after its idle time as well: the thief waited', async () => {
    const day = 24 * 60 * 60
    const { clock, server } = clocked()
    const first = await server.tokens()
    clock.seconds = 20 * day
    const { body: second } = await server.refresh(first.refresh_token)
    clock.seconds = 45 * day

    expectRefusal(await server.refresh(first.refresh_token), 400, 'invalid_grant')
    expectRefusal(await server.refresh(second.refresh_token), 400, 'invalid_grant')
  })

  it('is refused and nothing is revoked when another client brings it (RFC 6749 §6)', async () => {
    const { server } = clocked({ overlap: 0 })
    const first = await server.tokens()
    const { body: second } = await server.refresh(first.refresh_token)

    expectRefusal(await server.refresh(first.refresh_token, { client_id: 'other' }), 400, 'invalid_grant')
    expect(server.eventsOf('replay')).toEqual([])
    expect((await server.refresh(second.refresh_token)).status).toBe(200)
  })

  it('is 503 while the grant cannot be ended, and ends it when the store is back', async () => {
    let down = false
    const store = memoryStore()
    const server = fixture({
      overlap: 0,
      store: {
        ...store,
        revoke: async (key) => {
          if (down) throw new Error('connection lost')
          return store.revoke(key)
        },
      },
    })
    const first = await server.tokens()
    const { body: second } = await server.refresh(first.refresh_token)

    down = true
    expectUnavailable(await server.refresh(first.refresh_token))
    down = false
    expectRefusal(await server.refresh(first.refresh_token), 400, 'invalid_grant')
    expectRefusal(await server.refresh(second.refresh_token), 400, 'invalid_grant')
  })

  it('leaves no secret in the events', async () => {
    const { clock, server } = clocked({ overlap: 0 })
    const code = await server.code()
    const { body: first } = await server.exchange(code)
    const { body: second } = await server.refresh(first.refresh_token)
    await server.refresh(first.refresh_token)
    clock.seconds = 10
    await server.exchange(code)

    const told = JSON.stringify(server.events)
    for (const secret of [
      code,
      first.refresh_token,
      second.refresh_token,
      first.access_token,
      first.id_token,
    ])
      expect(told).not.toContain(secret)
  })
})
