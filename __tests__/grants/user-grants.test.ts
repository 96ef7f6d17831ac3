import { type Approval, memoryStore, OAuthError, type UserGrant } from '../../lib'
import { CALLBACK, expectRefusal, type FixtureOptions, fixture } from '../support/fixture'

/** A server whose store and router have one clock, and an approval that the test sets. */
function clocked(options: FixtureOptions = {}) {
  const clock = { now: Date.parse('2026-03-04T05:06:07Z') }
  const approval: { current: Approval } = { current: { subject: 'alice' } }
  const now = () => clock.now
  const server = fixture({ now, store: memoryStore({ now }), authorize: () => approval.current, ...options })
  return Object.assign(server, {
    clock,
    signIn(as: Partial<Approval>, clientId = 'spa') {
      approval.current = { subject: 'alice', ...as }
      return server.tokens({ client_id: clientId })
    },
  })
}

const at = (time: string) => new Date(`2026-${time}Z`)

describe('grants.list', () => {
  it('shows what a page of signed-in devices needs, and no secret', async () => {
    const server = clocked()
    const { refresh_token } = await server.signIn({ label: 'Firefox on Linux' })
    server.clock.now += 86_400_000
    await server.refresh(refresh_token)

    expect(await server.oauth.grants.list('alice')).toEqual({
      grants: [
        {
          id: expect.stringMatching(/^[0-9a-f]{4}\.[\w-]{16}$/),
          clientId: 'spa',
          scope: ['openid', 'offline_access'],
          label: 'Firefox on Linux',
          createdAt: at('03-04T05:06:07'),
          lastUsedAt: at('03-05T05:06:07'),
          expiresAt: at('04-04T05:06:07'),
        },
      ],
      next: undefined,
    })
  })

  it('counts a refresh token that is kept as used, too', async () => {
    const server = clocked()
    const { refresh_token } = await server.signIn({}, 'web')
    server.clock.now += 60_000
    await server.refresh(refresh_token, { client_id: undefined }).auth('web', 'web-secret')

    const { grants } = await server.oauth.grants.list('alice')
    expect(grants).toMatchObject([{ clientId: 'web', lastUsedAt: at('03-04T05:07:07'), label: undefined }])
  })

  it('holds each device of each client once, the oldest first, however often it refreshed', async () => {
    const server = clocked()
    await server.signIn({ label: 'phone' })
    const { refresh_token } = await server.signIn({ label: 'laptop' }, 'web')
    await server.signIn({ label: 'tablet' })
    for (let i = 0; i < 3; i++)
      await server.refresh(refresh_token, { client_id: undefined }).auth('web', 'web-secret')

    const { grants } = await server.oauth.grants.list('alice')
    expect(grants.map(({ label, clientId }) => [label, clientId])).toEqual([
      ['phone', 'spa'],
      ['laptop', 'web'],
      ['tablet', 'spa'],
    ])
  })

  it('comes in pages, which hold every grant once', async () => {
    const server = clocked()
    for (let i = 0; i < 5; i++) await server.signIn({ label: `device ${i}` })
    // One that does not count: its code was never exchanged.
    await server.authorize()

    const seen: UserGrant[] = []
    const sizes: number[] = []
    let after: string | undefined
    do {
      const page = await server.oauth.grants.list('alice', {
        limit: 2,
        ...(after !== undefined && { after }),
      })
      seen.push(...page.grants)
      sizes.push(page.grants.length)
      after = page.next
    } while (after !== undefined && sizes.length < 10)

    expect(seen.map(({ label }) => label)).toEqual([0, 1, 2, 3, 4].map((i) => `device ${i}`))
    expect(Math.max(...sizes)).toBe(2)
    expect(sizes).toHaveLength(3)
  })

  it.each([0, -1, 1.5, Number.NaN, 1001, '20', null])('has no page of %p grants', async (limit) => {
    const server = clocked()
    const page = { limit } as { limit: number }
    await expect(server.oauth.grants.list('alice', page)).rejects.toMatchObject({
      name: 'ConfigError',
      code: 'bad_number',
      option: 'grants.list.limit',
    })
  })

  it('knows no other name than limit and after', async () => {
    const page = { limt: 20 } as { limit?: number }
    await expect(clocked().oauth.grants.list('alice', page)).rejects.toMatchObject({
      code: 'unknown_option',
      option: 'grants.list.limt',
    })
  })

  it.each([['x'], { a: 'x' }, 1, null])('begins nowhere where `after` is no string: %p', async (after) => {
    const server = clocked()
    await server.signIn({})
    const page = { after } as unknown as { after: string }
    expect(await server.oauth.grants.list('alice', page)).toEqual({ grants: [], next: undefined })
    expect(server.eventsOf('store.trouble')).toEqual([])
  })

  it('is of this user alone, and empty for one who has none', async () => {
    const server = clocked()
    await server.signIn({ subject: 'bob' })
    for (const subject of ['alice', 'Bob', 'bob ', '', '*'])
      expect(await server.oauth.grants.list(subject)).toEqual({ grants: [], next: undefined })
  })

  it('holds no grant whose code was never exchanged: nobody is signed in by it', async () => {
    const server = clocked()
    await server.code()
    expect((await server.oauth.grants.list('alice')).grants).toEqual([])
  })

  it.each<[string, (server: ReturnType<typeof clocked>, token: string) => unknown]>([
    ['by the client', (server, token) => server.post('/revoke', { client_id: 'spa', token })],
    [
      'by a replay',
      async (server, token) => {
        await server.refresh(token)
        server.clock.now += 60_000
        await server.refresh(token)
      },
    ],
    ['by its idle time', ({ clock }) => (clock.now += 30 * 86_400_000)],
  ])('holds none that has ended: %s', async (_what, end) => {
    const server = clocked()
    const { refresh_token } = await server.signIn({})
    expect((await server.oauth.grants.list('alice')).grants).toHaveLength(1)

    await end(server, refresh_token)
    expect((await server.oauth.grants.list('alice')).grants).toEqual([])
  })

  it('holds none that has reached its absolute end, though it was used a moment ago', async () => {
    const server = clocked({ lifetimes: { refreshIdleSeconds: 100, refreshAbsoluteSeconds: 150 } })
    const { refresh_token } = await server.signIn({}, 'web')
    server.clock.now += 99_000
    await server.refresh(refresh_token, { client_id: undefined }).auth('web', 'web-secret')

    expect((await server.oauth.grants.list('alice')).grants).toMatchObject([
      { expiresAt: at('03-04T05:08:37') },
    ])
    server.clock.now += 51_000
    expect((await server.oauth.grants.list('alice')).grants).toEqual([])
  })

  it('holds a grant without refresh token as long as its access token can live', async () => {
    const server = clocked()
    await server.signIn({ refreshToken: false })
    server.clock.now += 600_000
    expect((await server.oauth.grants.list('alice')).grants).toHaveLength(1)
    server.clock.now += 60_000
    expect((await server.oauth.grants.list('alice')).grants).toEqual([])
  })
})

describe('grants.revoke', () => {
  it('ends this one grant, and says so', async () => {
    const server = clocked()
    const [phone, laptop] = [
      await server.signIn({ label: 'phone' }),
      await server.signIn({ label: 'laptop' }),
    ]
    const { grants } = await server.oauth.grants.list('alice')
    const { id } = grants.find(({ label }) => label === 'phone') as UserGrant

    expect(await server.oauth.grants.revoke('alice', id)).toBe(true)

    expectRefusal(await server.refresh(phone.refresh_token), 400, 'invalid_grant')
    expect((await server.refresh(laptop.refresh_token)).status).toBe(200)
    expect((await server.oauth.grants.list('alice')).grants).toMatchObject([{ label: 'laptop' }])
    expect(server.eventsOf('grant.revoked')).toEqual([
      { type: 'grant.revoked', by: 'host', subject: 'alice', clientId: 'spa', grant: id, count: 1 },
    ])
  })

  it('is done once: false when it was done, and of many at once one is true', async () => {
    const server = clocked()
    await server.signIn({})
    const [grant] = (await server.oauth.grants.list('alice')).grants
    const revoke = () => server.oauth.grants.revoke('alice', grant?.id as string)

    const answers = await Promise.all(Array.from({ length: 20 }, revoke))
    expect(answers.filter(Boolean)).toHaveLength(1)
    expect(await revoke()).toBe(false)
    expect(server.eventsOf('grant.revoked')).toHaveLength(1)
  })

  it("ends no grant of another user, by whatever id the user's page sends", async () => {
    const server = clocked()
    const { refresh_token } = await server.signIn({ subject: 'bob' })
    const [grant] = (await server.oauth.grants.list('bob')).grants

    expect(await server.oauth.grants.revoke('alice', grant?.id as string)).toBe(false)
    expect((await server.refresh(refresh_token)).status).toBe(200)
    expect(server.eventsOf('grant.revoked')).toEqual([])
  })

  it('asks the store for nothing that is no id', async () => {
    const asked: string[] = []
    const memory = memoryStore()
    const { oauth } = fixture({
      store: {
        ...memory,
        find: (key) => {
          asked.push(key)
          return memory.find(key)
        },
      },
    })
    for (const id of [
      '',
      '*',
      '../x',
      'abcd.short',
      `abcd.${'x'.repeat(16)}\n`,
      ['abcd.1'],
      null,
      { $ne: 1 },
    ])
      expect(await oauth.grants.revoke('alice', id as string)).toBe(false)
    expect(asked).toEqual([])
  })
})

describe('grants.revokeAll', () => {
  it('ends all of this user, whatever the client, and says how many', async () => {
    const server = clocked()
    const tokens = [await server.signIn({}), await server.signIn({}, 'post')] as const
    const bob = await server.signIn({ subject: 'bob' })

    expect(await server.oauth.grants.revokeAll('alice')).toBe(2)

    expectRefusal(await server.refresh(tokens[0].refresh_token), 400, 'invalid_grant')
    const post = { client_id: 'post', client_secret: 'post-secret' }
    expectRefusal(await server.refresh(tokens[1].refresh_token, post), 400, 'invalid_grant')
    expect((await server.refresh(bob.refresh_token)).status).toBe(200)
    expect(server.eventsOf('grant.revoked')).toEqual([
      {
        type: 'grant.revoked',
        by: 'host',
        subject: 'alice',
        clientId: undefined,
        grant: undefined,
        count: 2,
      },
    ])
  })

  it('ends those for one client alone, where it is named', async () => {
    const server = clocked()
    const spa = await server.signIn({})
    await server.signIn({}, 'web')

    expect(await server.oauth.grants.revokeAll('alice', { clientId: 'web' })).toBe(1)
    expect((await server.refresh(spa.refresh_token)).status).toBe(200)
    expect((await server.oauth.grants.list('alice')).grants).toMatchObject([{ clientId: 'spa' }])
  })

  it('ends a code that was not exchanged yet as well', async () => {
    const server = clocked()
    const code = await server.code()
    await server.oauth.grants.revokeAll('alice')
    expectRefusal(await server.exchange(code), 400, 'invalid_grant')
  })

  it('ends those of one session alone, of all clients or of one, with codes that were not exchanged', async () => {
    const server = clocked()
    await server.signIn({ sid: 'one' }, 'web')
    await server.signIn({ sid: 'one' })
    const code = await server.code()
    await server.signIn({ sid: 'two' })
    await server.signIn({})
    const { revokeAll, list } = server.oauth.grants

    expect(await revokeAll('alice', { sid: 'none' })).toBe(0)
    expect(await revokeAll('bob', { sid: 'one' })).toBe(0)
    expect(await revokeAll('alice', { sid: 'one', clientId: 'web' })).toBe(1)
    expect(await revokeAll('alice', { sid: 'one' })).toBe(2)
    expectRefusal(await server.exchange(code), 400, 'invalid_grant')
    expect((await list('alice')).grants).toHaveLength(2)
    expect(server.eventsOf('grant.revoked')).toMatchObject([{ clientId: 'web', count: 1 }, { count: 2 }])
  })

  it('ends those of one session among more grants than a page of the store holds', async () => {
    const store = memoryStore()
    const list: typeof store.list = (subject, page) => store.list(subject, { ...page, limit: 2 })
    const server = clocked({ store: { ...store, list } })
    for (const sid of ['one', 'two', 'one', 'two', 'one', 'two', 'one']) await server.signIn({ sid })

    expect(await server.oauth.grants.revokeAll('alice', { sid: 'one' })).toBe(4)
    expect(await server.oauth.grants.revokeAll('alice')).toBe(3)
  })

  it.each(['sid', 'clientId'])(
    'ends nothing where the %s was lost: without it, all would end',
    async (name) => {
      const server = clocked()
      await server.signIn({ sid: 'one' })

      for (const value of [undefined, null, 1])
        await expect(
          server.oauth.grants.revokeAll('alice', { [name]: value } as never),
        ).rejects.toMatchObject({
          name: 'ConfigError',
          code: 'bad_string',
          option: `grants.revokeAll.${name}`,
        })
      expect((await server.oauth.grants.list('alice')).grants).toHaveLength(1)
    },
  )

  it('is 0, and no event, where there is nothing to end', async () => {
    const server = clocked()
    expect(await server.oauth.grants.revokeAll('alice')).toBe(0)
    expect(server.events).toEqual([])
  })

  it('brings nothing back: signing in again is a new grant', async () => {
    const server = clocked()
    await server.signIn({})
    const [before] = (await server.oauth.grants.list('alice')).grants
    await server.oauth.grants.revokeAll('alice')
    await server.signIn({})
    const [after] = (await server.oauth.grants.list('alice')).grants
    expect(after?.id).not.toBe(before?.id)
  })
})

describe('two issuers that share one store', () => {
  it("never see or end each other's grants, for the same user and client", async () => {
    const store = memoryStore()
    const here = fixture({ store })
    const there = fixture({ store, issuer: 'http://127.0.0.1:3000/oauth' })
    const { refresh_token } = await there.tokens()
    const [grant] = (await there.oauth.grants.list('alice')).grants

    expect((await here.oauth.grants.list('alice')).grants).toEqual([])
    expect(await here.oauth.grants.revoke('alice', grant?.id as string)).toBe(false)
    expect(await here.oauth.grants.revokeAll('alice')).toBe(0)
    expectRefusal(await here.refresh(refresh_token), 400, 'invalid_grant')
    await here.post('/revoke', { client_id: 'spa', token: refresh_token })

    expect((await there.refresh(refresh_token)).status).toBe(200)
  })

  it('are told apart wherever the name of one ends and the name of the user begins', async () => {
    const store = memoryStore()
    const clients = [{ client_id: 'spa', token_endpoint_auth_method: 'none', redirect_uris: [CALLBACK] }]
    const here = fixture({
      store,
      clients,
      issuer: 'http://localhost:3000/oauth',
      approval: { subject: '/oauth' },
    })
    const there = fixture({ store, clients, issuer: 'http://localhost:3000', mountPath: '/oauth' })
    await here.tokens()
    expect((await there.oauth.grants.list('/oauth/oauth')).grants).toEqual([])
  })
})

describe('the store is down', () => {
  const down = () => Promise.reject(new Error('down'))

  it.each([
    ['list', () => fixture({ store: { ...memoryStore(), list: down } }).oauth.grants.list('alice')],
    [
      'revoke',
      () =>
        fixture({ store: { ...memoryStore(), find: down } }).oauth.grants.revoke(
          'alice',
          `abcd.${'x'.repeat(16)}`,
        ),
    ],
    [
      'revokeAll',
      () => fixture({ store: { ...memoryStore(), revokeAll: down } }).oauth.grants.revokeAll('alice'),
    ],
  ])('%s rejects with 503: the host must not tell its user that it was done', async (_what, ask) => {
    const refusal: Promise<unknown> = ask()
    await expect(refusal).rejects.toBeInstanceOf(OAuthError)
    await expect(refusal).rejects.toMatchObject({ status: 503, code: 'temporarily_unavailable' })
  })
})
