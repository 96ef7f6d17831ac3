import { createHash, randomBytes } from 'node:crypto'
import { memoryStore, type TokenStore } from '../../lib'
import { expectRefusal, fixture, watched } from '../support/fixture'

/** A store that forgets its last writes, as after a failover to a replica that lagged or the restore of a backup. */
function forgetful(clock: { seconds: number }) {
  let at: number | undefined
  const empty = () => memoryStore({ now: () => (at ?? clock.seconds) * 1000 })
  let live = empty()
  const writes: { at: number; write: (store: TokenStore) => Promise<unknown> }[] = []
  function kept<T>(write: (store: TokenStore) => Promise<T>): Promise<T> {
    writes.push({ at: clock.seconds, write })
    return write(live)
  }
  const store: TokenStore = {
    ...live,
    insert: (grant) => kept((to) => to.insert(grant)),
    find: (key) => live.find(key),
    advance: (key, from, move) => kept((to) => to.advance(key, from, move)),
    revoke: (key) => kept((to) => to.revoke(key)),
    list: (subject, page) => live.list(subject, page),
    revokeAll: (subject, filter) => kept((to) => to.revokeAll(subject, filter)),
  }
  return {
    store,
    async forget(count: number): Promise<void> {
      writes.splice(-count)
      live = empty()
      for (const { at: then, write } of writes) {
        at = then
        await write(live)
      }
      at = undefined
    },
  }
}

const text = (bytes: Buffer) => bytes.toString('base64url')

describe('a made-up or damaged token', () => {
  it.each([
    ['a random one of the right form', text(Buffer.concat([Buffer.from([1]), randomBytes(38)]))],
    ['another format version', text(Buffer.concat([Buffer.from([2]), randomBytes(38)]))],
    ['all zero', text(Buffer.alloc(39))],
    ['one character', 'a'],
    ['a JWT', 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.'],
    ['outside VSCHAR (RFC 6749 App. A.11)', 'ü'.repeat(52)],
    ['a NUL', `${'a'.repeat(51)}\0`],
    ['a line feed after it', `${'a'.repeat(52)}\n`],
    ['very long', 'a'.repeat(50_000)],
    ['a glob pattern', '*'.repeat(52)],
    ['a name of JavaScript', '__proto__'],
  ])('is refused and the store is never asked: %s', async (_what, madeUp) => {
    const calls: string[] = []
    const server = fixture({ store: watched(memoryStore(), calls) })

    expectRefusal(await server.exchange(madeUp), 400, 'invalid_grant')
    expectRefusal(await server.refresh(madeUp), 400, 'invalid_grant')
    expect(calls).toEqual([])
  })

  it.each([
    ['cut by one character', (token: string) => token.slice(0, -1)],
    ['with one character more', (token: string) => `${token}A`],
    ['with padding', (token: string) => `${token}=`],
    ['with a space before it', (token: string) => ` ${token}`],
    ['with a line feed after it', (token: string) => `${token}\n`],
    ['in another case', (token: string) => token.toLowerCase()],
    ['twice', (token: string) => token + token],
  ])('is refused and the store is never asked: a good one %s', async (_how, damage) => {
    const calls: string[] = []
    const server = fixture({ store: watched(memoryStore(), calls) })
    const code = await server.code()
    const { refresh_token } = await server.tokens()
    calls.length = 0

    expectRefusal(await server.exchange(damage(code)), 400, 'invalid_grant')
    expectRefusal(await server.refresh(damage(refresh_token)), 400, 'invalid_grant')
    expect(calls).toEqual([])
  })
})

describe('a token whose grant is no more', () => {
  it('is refused and brings nothing back: revoked', async () => {
    const calls: string[] = []
    const server = fixture({ store: watched(memoryStore(), calls) })
    const code = await server.code()
    const { body: first } = await server.exchange(code)
    const { body: second } = await server.refresh(first.refresh_token)
    await server.post('/revoke', { client_id: 'spa', token: second.refresh_token })
    calls.length = 0

    expectRefusal(await server.exchange(code), 400, 'invalid_grant')
    expectRefusal(await server.refresh(first.refresh_token), 400, 'invalid_grant')
    expectRefusal(await server.refresh(second.refresh_token), 400, 'invalid_grant')
    // A store that waits for its replicas may have waited in vain when the grant ended: it is asked again.
    expect(calls).toEqual(['find', 'revoke', 'find', 'revoke', 'find', 'revoke'])
    expect((await server.oauth.grants.list('alice')).grants).toEqual([])
  })

  it('is refused and brings nothing back: its MAC is right, but the store does not know it', async () => {
    const calls: string[] = []
    const elsewhere = fixture()
    const server = fixture({ store: watched(memoryStore(), calls) })
    const [code, { refresh_token }] = [await elsewhere.code(), await elsewhere.tokens()]

    expectRefusal(await server.exchange(code), 400, 'invalid_grant')
    expectRefusal(await server.refresh(refresh_token), 400, 'invalid_grant')
    expect(calls).toEqual(['find', 'revoke', 'find', 'revoke'])
  })

  it('is never found again by what the store or an access token holds: both name the grant by a hash', async () => {
    const kept: string[] = []
    const store = memoryStore()
    const server = fixture({
      store: {
        ...store,
        insert(grant) {
          kept.push(JSON.stringify(grant))
          return store.insert(grant)
        },
      },
    })
    const code = await server.code()
    const { body } = await server.exchange(code)

    // The grant's id, which only codes and refresh tokens carry (bytes 3 to 19).
    const id = Buffer.from(code, 'base64url').subarray(3, 19)
    expect(Buffer.from(body.refresh_token, 'base64url').subarray(3, 19)).toEqual(id)
    const accessToken = Buffer.from(body.access_token.split('.')[1], 'base64url').toString()
    for (const known of [...kept, accessToken]) {
      for (const encoding of ['hex', 'base64', 'base64url', 'latin1'] as const)
        expect(known).not.toContain(id.toString(encoding))
      expect(known).toContain(createHash('sha256').update(id).digest('base64url').slice(0, 16))
    }
  })
})

describe('a superseded refresh token within the overlap', () => {
  it('gets the very same current token again, as often as it comes; an event tells', async () => {
    const server = fixture()
    const first = await server.tokens()
    const { body: second } = await server.refresh(first.refresh_token)
    const again = [await server.refresh(first.refresh_token), await server.refresh(first.refresh_token)]

    expect(again.map(({ status, body }) => [status, body.refresh_token])).toEqual([
      [200, second.refresh_token],
      [200, second.refresh_token],
    ])
    expect(second.refresh_token).not.toBe(first.refresh_token)
    expect(server.eventsOf('refresh.overlap')).toEqual(
      Array(2).fill({
        type: 'refresh.overlap',
        presented: 1,
        current: 2,
        grant: expect.any(String),
        clientId: 'spa',
        subject: 'alice',
      }),
    )
    expect((await server.refresh(second.refresh_token)).status).toBe(200)
  })

  it.each([
    [undefined, 59.999, 200],
    [undefined, 60, 400],
    [20, 19.999, 200],
    [20, 20, 400],
    [0, 0, 400],
  ])(
    'with the option %p, after %p seconds -> %i; the answers in between do not prolong it',
    async (overlap, after, status) => {
      const clock = { seconds: 0 }
      const store = memoryStore({ now: () => clock.seconds * 1000 })
      const server = fixture({ store, overlap })
      const { refresh_token } = await server.tokens()
      await server.refresh(refresh_token)
      if (after > 10) {
        clock.seconds = after - 5
        expect((await server.refresh(refresh_token)).status).toBe(200)
      }

      clock.seconds = after
      expect((await server.refresh(refresh_token)).status).toBe(status)
    },
  )

  it('lets three workers, each two rotations apart, all have the current token, and logs nobody out', async () => {
    const clock = { seconds: 0 }
    const store = memoryStore({ now: () => clock.seconds * 1000 })
    const server = fixture({ store })
    const chain = [(await server.tokens()).refresh_token]
    for (let rotation = 1; rotation <= 4; rotation++) {
      clock.seconds += 10
      chain.push((await server.refresh(chain.at(-1) as string)).body.refresh_token)
    }

    const workers = [chain[0], chain[2], chain[4]] as [string, string, string]
    const slow = await server.refresh(workers[0])
    const middle = await server.refresh(workers[1])
    expect([slow.status, middle.status]).toEqual([200, 200])
    expect([slow.body.refresh_token, middle.body.refresh_token]).toEqual([workers[2], workers[2]])

    const fast = await server.refresh(workers[2])
    expect(fast.status).toBe(200)
    expect((await server.refresh(workers[1])).body.refresh_token).toBe(fast.body.refresh_token)
    expect(server.eventsOf('replay')).toEqual([])
  })

  it('knows the last four links, and takes an older one for a replay', async () => {
    const server = fixture()
    const { refresh_token: first } = await server.tokens()
    let latest = first
    for (let rotation = 1; rotation <= 5; rotation++)
      latest = (await server.refresh(latest)).body.refresh_token

    expectRefusal(await server.refresh(first), 400, 'invalid_grant')
    expectRefusal(await server.refresh(latest), 400, 'invalid_grant')
  })
})

describe('the store lost its last write in a failover', () => {
  it('a rotated refresh token still works, and the record catches up by that one link; an event tells', async () => {
    const { store, forget } = forgetful({ seconds: 0 })
    const server = fixture({ store })
    const first = await server.tokens()
    const { body: second } = await server.refresh(first.refresh_token)
    const { body: third } = await server.refresh(second.refresh_token)
    await forget(1)

    const { status, body: fourth } = await server.refresh(third.refresh_token)
    expect(status).toBe(200)
    expect(server.eventsOf('grant.caught-up')).toEqual([
      {
        type: 'grant.caught-up',
        from: 2,
        to: 3,
        grant: expect.any(String),
        clientId: 'spa',
        subject: 'alice',
      },
    ])
    // The chain goes on as if nothing had been lost: the same links, each superseded.
    expect((await server.refresh(third.refresh_token)).body.refresh_token).toBe(fourth.refresh_token)
    expect((await server.refresh(second.refresh_token)).body.refresh_token).toBe(fourth.refresh_token)
    expect((await server.refresh(fourth.refresh_token)).status).toBe(200)
  })

  it('the link that the lost write had superseded gets the same successor as before', async () => {
    const { store, forget } = forgetful({ seconds: 0 })
    const server = fixture({ store })
    const first = await server.tokens()
    const { body: second } = await server.refresh(first.refresh_token)
    await forget(1)

    expect((await server.refresh(first.refresh_token)).body.refresh_token).toBe(second.refresh_token)
    expect(server.eventsOf('grant.caught-up')).toEqual([])
  })

  it.each([
    ['rotates', 'always'],
    ['is kept', 'never'],
  ] as const)(
    'the redemption of a code is caught up by the refresh token that came of it, where that %s',
    async (_how, rotate) => {
      const { store, forget } = forgetful({ seconds: 0 })
      const server = fixture({ store, rotate })
      const code = await server.code()
      const { body: first } = await server.exchange(code)
      await forget(1)

      const { status, body: second } = await server.refresh(first.refresh_token)
      expect(status).toBe(200)
      expect(second.refresh_token === first.refresh_token).toBe(rotate === 'never')
      expect(server.eventsOf('grant.caught-up')).toMatchObject([{ from: 0, to: 1 }])
      expectRefusal(await server.exchange(code), 400, 'invalid_grant')
      expect((await server.refresh(second.refresh_token)).status).toBe(200)
    },
  )

  it('a redemption is caught up for 24 hours, long after the code has expired', async () => {
    const clock = { seconds: 0 }
    const { store, forget } = forgetful(clock)
    const server = fixture({ store })
    const code = await server.code()
    const { body: first } = await server.exchange(code)
    await forget(1)
    clock.seconds = 24 * 60 * 60 - 1

    expectRefusal(await server.exchange(code), 400, 'invalid_grant')
    expect((await server.refresh(first.refresh_token)).status).toBe(200)
  })

  it('no more is caught up than that: two links ahead is refused and nothing is revoked (a restored backup)', async () => {
    const { store, forget } = forgetful({ seconds: 0 })
    const server = fixture({ store })
    const first = await server.tokens()
    const { body: second } = await server.refresh(first.refresh_token)
    const { body: third } = await server.refresh(second.refresh_token)
    await forget(2)

    expectRefusal(await server.refresh(third.refresh_token), 400, 'invalid_grant')
    expect(server.eventsOf('request.refused').at(-1)).toMatchObject({ reason: 'refresh_token_ahead' })
    expect(server.eventsOf('replay')).toEqual([])
    expect(server.eventsOf('grant.revoked')).toEqual([])
    expect((await server.refresh(first.refresh_token)).body.refresh_token).toBe(second.refresh_token)
  })

  it('a bogus request with such a token moves nothing', async () => {
    const { store, forget } = forgetful({ seconds: 0 })
    const server = fixture({ store })
    const first = await server.tokens()
    const { body: second } = await server.refresh(first.refresh_token)
    await forget(1)

    expectRefusal(await server.refresh(second.refresh_token, { scope: 'admin' }), 400, 'invalid_scope')
    expectRefusal(await server.refresh(second.refresh_token, { client_id: 'other' }), 400, 'invalid_grant')
    expect(server.eventsOf('grant.caught-up')).toEqual([])
    expect((await server.refresh(first.refresh_token)).body.refresh_token).toBe(second.refresh_token)
  })
})

describe("last night's backup is restored", () => {
  it('no spent token works that did not work then', async () => {
    const clock = { seconds: 0 }
    const { store, forget } = forgetful(clock)
    const server = fixture({ store })
    const code = await server.code()
    const { body: first } = await server.exchange(code)
    const { body: second } = await server.refresh(first.refresh_token)
    clock.seconds = 61
    await server.refresh(second.refresh_token)
    clock.seconds = 24 * 60 * 60
    await forget(1)

    expectRefusal(await server.exchange(code), 400, 'invalid_grant')
    expectRefusal(await server.refresh(first.refresh_token), 400, 'invalid_grant')
  })

  it('a revoked grant that came back with it is refused by notBefore all the same', async () => {
    const { store, forget } = forgetful({ seconds: 0 })
    let notBefore: Date | undefined
    const server = fixture({ store, findAccount: () => ({ notBefore }) })
    const { refresh_token } = await server.tokens()
    await server.oauth.grants.revokeAll('alice')
    notBefore = new Date('2026-01-02T03:04:06Z')
    await forget(1)

    expect((await server.oauth.grants.list('alice')).grants).toHaveLength(1)
    expectRefusal(await server.refresh(refresh_token), 400, 'invalid_grant')
  })
})

describe('a refresh token that is not rotated', () => {
  it('is answered with itself each time, and nothing of it is a replay', async () => {
    const clock = { seconds: 0 }
    const calls: string[] = []
    const store = watched(memoryStore({ now: () => clock.seconds * 1000 }), calls)
    const server = fixture({ store, rotate: 'never', overlap: 0 })
    const { refresh_token } = await server.tokens()
    calls.length = 0

    const answers = []
    for (let refresh = 1; refresh <= 6; refresh++) {
      clock.seconds += 3600
      answers.push(await server.refresh(refresh_token))
    }
    expect(answers.map(({ status, body }) => [status, body.refresh_token])).toEqual(
      Array(6).fill([200, refresh_token]),
    )
    expect(calls).toEqual(Array(6).fill(['find', 'advance']).flat())
    expect(server.eventsOf('replay')).toEqual([])
    expect(server.eventsOf('refresh.overlap')).toEqual([])
  })

  it('takes a policy that changes meanwhile: kept, then rotated, then kept again', async () => {
    let rotates = false
    const server = fixture({ rotate: () => rotates })
    const { refresh_token: first } = await server.tokens()
    const refreshed = async (token: string) => (await server.refresh(token)).body.refresh_token as string

    expect(await refreshed(first)).toBe(first)
    rotates = true
    const second = await refreshed(first)
    expect(second).not.toBe(first)
    rotates = false
    expect(await refreshed(second)).toBe(second)
    expect(await refreshed(first)).toBe(second)
  })
})
