import { type Client, memoryStore, type Rotate } from '../../lib'
import {
  APPROVAL,
  claimsOf,
  expectRefusal,
  expectUncached,
  type Fixture,
  type FixtureOptions,
  fixture,
  type Tokens,
} from '../support/fixture'

const DAY = 24 * 60 * 60

describe('refresh_token', () => {
  it('answers with a new access token, ID token and refresh token (RFC 6749 §6, OIDC Core §12.2)', async () => {
    const server = fixture()
    const before = await server.tokens()
    const response = await server.refresh(before.refresh_token)

    expect(response.status).toBe(200)
    expectUncached(response)
    expect(response.body).toEqual({
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 600,
      scope: 'openid offline_access',
      refresh_token: expect.stringMatching(/^[A-Za-z0-9_-]{52}$/),
      id_token: expect.any(String),
    })
    for (const name of ['access_token', 'refresh_token', 'id_token'] as const)
      expect(response.body[name]).not.toBe(before[name])
  })

  it("refuses another client's, and nothing is revoked (RFC 6749 §6)", async () => {
    const server = fixture()
    const { refresh_token } = await server.tokens()

    expectRefusal(await server.refresh(refresh_token, { client_id: 'other' }), 400, 'invalid_grant')
    expectRefusal(
      await server.refresh(refresh_token, { client_id: undefined }).auth('web', 'web-secret'),
      400,
      'invalid_grant',
    )
    expect(server.eventsOf('grant.revoked')).toEqual([])
    expect((await server.refresh(refresh_token)).status).toBe(200)
  })

  it('needs the refresh token (RFC 6749 §6)', async () => {
    expectRefusal(await fixture().refresh(''), 400, 'invalid_request')
  })

  it('is refused in the same words whatever the cause (RFC 6749 §5.2)', async () => {
    const server = fixture({ overlap: 0 })
    const { refresh_token } = await server.tokens()
    const refusals = [
      await server.refresh('a'.repeat(52)),
      await server.refresh(refresh_token, { client_id: 'other' }),
      (await server.refresh(refresh_token)) && (await server.refresh(refresh_token)),
      await server.refresh(refresh_token),
    ]

    expect(new Set(refusals.map(({ status, text }) => `${status} ${text}`)).size).toBe(1)
    expect(server.eventsOf('request.refused').map(({ reason }) => reason)).toEqual([
      'forged_refresh_token',
      'other_client',
      'spent_refresh_token',
      'unknown_refresh_token',
    ])
  })
})

describe('whose refresh tokens rotate (RFC 9700 §4.14.2)', () => {
  const onlyWeb = ({ client_id }: Client) => client_id === 'web'

  it.each<[string, Rotate | undefined, string, boolean]>([
    ['unless told', undefined, 'spa', true],
    ['unless told', undefined, 'web', false],
    ["'public'", 'public', 'spa', true],
    ["'public'", 'public', 'post', false],
    ["'always'", 'always', 'spa', true],
    ["'always'", 'always', 'web', true],
    ["'never'", 'never', 'spa', false],
    ["'never'", 'never', 'web', false],
    ['a function of the client', onlyWeb, 'spa', false],
    ['a function of the client', onlyWeb, 'web', true],
  ])('%s: of %3$s -> %4$s', async (_option, rotate, clientId, rotates) => {
    const server = fixture({ rotate })
    const { refresh_token } = await server.tokens({ client_id: clientId })

    const refreshed = await refreshAs(server, clientId, refresh_token)
    expect(refreshed.status).toBe(200)
    expect(refreshed.body.refresh_token !== refresh_token).toBe(rotates)
  })

  function refreshAs(server: Fixture, clientId: string, token: string) {
    if (clientId === 'web') return server.refresh(token, { client_id: undefined }).auth('web', 'web-secret')
    return server.refresh(token, {
      client_id: clientId,
      ...(clientId === 'post' && { client_secret: 'post-secret' }),
    })
  }
})

describe('why a refresh token stops working', () => {
  interface World {
    server: Fixture
    tokens: Tokens
    clock: { seconds: number }
    host: { refuses: boolean; notBefore: Date | undefined; withdrawnFrom: string | undefined }
  }

  async function world(options: FixtureOptions = {}): Promise<World> {
    const clock = { seconds: 0 }
    const host: World['host'] = { refuses: false, notBefore: undefined, withdrawnFrom: undefined }
    const server = fixture({
      store: memoryStore({ now: () => clock.seconds * 1000 }),
      findAccount: (_subject, { client }) =>
        host.refuses || host.withdrawnFrom === client.client_id ? undefined : { notBefore: host.notBefore },
      ...options,
    })
    return { server, clock, host, tokens: await server.tokens() }
  }

  it.each<[string, (world: World) => unknown]>([
    [
      'the client revoked it (RFC 7009 §2.1)',
      ({ server, tokens }) => server.post('/revoke', { client_id: 'spa', token: tokens.refresh_token }),
    ],
    [
      'the client revoked its access token (RFC 7009 §2.1)',
      ({ server, tokens }) => server.post('/revoke', { client_id: 'spa', token: tokens.access_token }),
    ],
    [
      'the user ended this device',
      async ({ server }) => {
        const { grants } = await server.oauth.grants.list('alice')
        await server.oauth.grants.revoke('alice', grants[0]?.id ?? '')
      },
    ],
    ['the host ended all of the user', ({ server }) => server.oauth.grants.revokeAll('alice')],
    [
      'the host ended all of the user for this client',
      ({ server }) => server.oauth.grants.revokeAll('alice', { clientId: 'spa' }),
    ],
    [
      'the user withdrew consent to this client',
      ({ host }) => {
        host.withdrawnFrom = 'spa'
      },
    ],
    [
      'the user is disabled',
      ({ host }) => {
        host.refuses = true
      },
    ],
    [
      'the user has to sign in again since a date',
      ({ host }) => {
        host.notBefore = new Date(Number(APPROVAL.authTime) + 1000)
      },
    ],
    [
      'nobody used it for 30 days',
      ({ clock }) => {
        clock.seconds = 30 * DAY
      },
    ],
    [
      'a token before it was replayed',
      async ({ server, clock, tokens }) => {
        await server.refresh(tokens.refresh_token)
        clock.seconds = 60
        await server.refresh(tokens.refresh_token)
      },
    ],
  ])('%s', async (_why, happens) => {
    const here = await world()
    await happens(here)

    expectRefusal(await here.server.refresh(here.tokens.refresh_token), 400, 'invalid_grant')
  })

  it('90 days have passed, however often it was used', async () => {
    const { server, clock, tokens } = await world()
    let token = tokens.refresh_token
    for (clock.seconds = 0; clock.seconds < 90 * DAY; clock.seconds += 29 * DAY) {
      const { status, body } = await server.refresh(token)
      expect(status).toBe(200)
      token = body.refresh_token
    }

    clock.seconds = 90 * DAY
    expectRefusal(await server.refresh(token), 400, 'invalid_grant')
  })

  it.each([
    ['another client', ({ server }: World) => server.oauth.grants.revokeAll('alice', { clientId: 'web' })],
    ['another user', ({ server }: World) => server.oauth.grants.revokeAll('bob')],
    [
      'another device of the same user and client',
      async ({ server }: World) => {
        const { refresh_token } = await server.tokens()
        await server.post('/revoke', { client_id: 'spa', token: refresh_token })
      },
    ],
  ])('but not when %s was the one', async (_who, happens) => {
    const here = await world()
    await happens(here)

    expect((await here.server.refresh(here.tokens.refresh_token)).status).toBe(200)
  })
})

describe('how long a refresh token is good', () => {
  it('up to its idle time, which each use begins anew, rotated or kept', async () => {
    for (const rotate of ['always', 'never'] as const) {
      let now = 0
      const server = fixture({ store: memoryStore({ now: () => now }), rotate })
      let { refresh_token } = await server.tokens()
      for (let use = 1; use <= 2; use++) {
        now += 30 * DAY * 1000 - 1
        const { status, body } = await server.refresh(refresh_token)
        expect(status).toBe(200)
        refresh_token = body.refresh_token
      }
      now += 30 * DAY * 1000
      expectRefusal(await server.refresh(refresh_token), 400, 'invalid_grant')
    }
  })

  it('a refusal is no use: it does not begin the idle time anew', async () => {
    let now = 0
    const server = fixture({ store: memoryStore({ now: () => now }), rotate: 'never' })
    const { refresh_token } = await server.tokens()
    now = 29 * DAY * 1000
    expectRefusal(await server.refresh(refresh_token, { scope: 'admin' }), 400, 'invalid_scope')

    now = 30 * DAY * 1000
    expectRefusal(await server.refresh(refresh_token), 400, 'invalid_grant')
  })

  it.each([
    ['idle', { refreshIdleSeconds: 100 }, 199],
    ['absolute', { refreshAbsoluteSeconds: 100 }, 100],
  ])('as the option says, even below what the record itself lives: %s', async (_which, lifetimes, end) => {
    let seconds = 0
    const server = fixture({ store: memoryStore({ now: () => seconds * 1000 }), lifetimes, rotate: 'never' })
    const { refresh_token } = await server.tokens()
    seconds = 99
    expect((await server.refresh(refresh_token)).status).toBe(200)

    seconds = end
    expectRefusal(await server.refresh(refresh_token), 400, 'invalid_grant')
  })

  it.each([
    ['5 minutes ahead', [300, 300, 300]],
    ['5 minutes behind', [-300, -300, -300]],
    ['going back meanwhile', [300, 0, -300]],
    ['jumping by a year', [0, 365 * DAY, -365 * DAY]],
  ])(
    "by the clock of the store: no early death and no revival where the app server's is %s",
    async (_how, errors) => {
      const start = Date.parse('2026-02-03T04:05:06Z')
      let seconds = 0
      let error = errors[0] as number
      const server = fixture({
        store: memoryStore({ now: () => seconds * 1000 }),
        now: () => start + (seconds + error) * 1000,
        lifetimes: { codeSeconds: 60, refreshIdleSeconds: 100, refreshAbsoluteSeconds: 250 },
        rotate: 'never',
      })

      const [code, lateCode] = [await server.code(), await server.code()]
      error = errors[1] as number
      seconds = 59
      const { status, body } = await server.exchange(code)
      expect(status).toBe(200)
      seconds = 60
      expectRefusal(await server.exchange(lateCode), 400, 'invalid_grant')

      error = errors[2] as number
      seconds = 59 + 99
      expect((await server.refresh(body.refresh_token)).status).toBe(200)
      seconds = 249
      expect((await server.refresh(body.refresh_token)).status).toBe(200)
      seconds = 250
      expectRefusal(await server.refresh(body.refresh_token), 400, 'invalid_grant')
    },
  )
})

describe('no access token outlives its grant', () => {
  function ending() {
    const clock = { seconds: 0 }
    const server = fixture({
      store: memoryStore({ now: () => clock.seconds * 1000 }),
      lifetimes: { refreshAbsoluteSeconds: 1000 },
    })
    return { clock, server }
  }

  it.each([
    [399.5, 600],
    [400.5, 599],
    [900, 100],
    [999, 1],
  ])('refreshed at second %p of 1000, it is good for %i', async (at, left) => {
    const { clock, server } = ending()
    const { refresh_token } = await server.tokens()
    clock.seconds = at

    const { body } = await server.refresh(refresh_token)
    const { iat, exp } = claimsOf(body.access_token) as { iat: number; exp: number }
    expect([body.expires_in, exp - iat]).toEqual([left, left])
  })

  it('so in the last second of the grant there is none any more', async () => {
    const { clock, server } = ending()
    const { refresh_token } = await server.tokens()
    clock.seconds = 999.5

    expectRefusal(await server.refresh(refresh_token), 400, 'invalid_grant')
  })
})
