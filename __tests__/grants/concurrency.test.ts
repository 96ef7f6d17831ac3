import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { memoryStore, type TokenStore } from '../../lib'
import {
  CALLBACK,
  expectRefusal,
  expectUnavailable,
  type Fixture,
  fixture,
  listen,
  VERIFIER,
} from '../support/fixture'

const CALLERS = 1000

jest.setTimeout(60_000)

/** A store that lets nobody go on until so many have had their first look: the worst race there is. */
function racing() {
  // Its clock stands still: on a busy machine the race may last longer than what counts as one moment.
  const store = memoryStore({ now: () => 0 })
  let missing = 0
  let gate: { promise: Promise<void>; open: () => void }
  return {
    gather(callers: number): void {
      missing = callers
      let open = () => {}
      const promise = new Promise<void>((resolve) => {
        open = resolve
      })
      gate = { promise, open }
    },
    store: {
      ...store,
      async find(key) {
        const found = await store.find(key)
        if (missing === 0) return found
        if (--missing === 0) gate.open()
        await gate.promise
        return found
      },
    } satisfies TokenStore as TokenStore,
  }
}

interface Answer {
  status: number | undefined
  body: Record<string, string>
}

function post(port: number, form: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const options = { port, host: '127.0.0.1', path: '/oauth/token', method: 'POST', headers, agent: false }
    request(options, async (response) => {
      resolve({ status: response.statusCode, body: JSON.parse(await text(response)) })
    })
      .on('error', reject)
      .end(form)
  })
}

/** What so many times this form at once is answered with. */
async function atOnce({ app }: Fixture, form: Record<string, string>) {
  const { server, port } = await listen(app)
  const encoded = new URLSearchParams({ client_id: 'spa', ...form }).toString()
  const answers = await Promise.all(Array.from({ length: CALLERS }, () => post(port, encoded)))
  server.close()
  return {
    good: answers.filter(({ status }) => status === 200).map(({ body }) => body),
    refused: answers.filter(({ status, body }) => status === 400 && body.error === 'invalid_grant').length,
  }
}

describe(`${CALLERS} requests at once`, () => {
  const scope = 'offline_access'

  it('with one code: one gets tokens, the rest invalid_grant, and the tokens stay good (RFC 6749 §4.1.2)', async () => {
    const { store, gather } = racing()
    const server = fixture({ store, storeTimeoutSeconds: 30 })
    const code = await server.code({ scope })
    gather(CALLERS)
    const { good, refused } = await atOnce(server, {
      grant_type: 'authorization_code',
      code,
      redirect_uri: CALLBACK,
      code_verifier: VERIFIER,
    })

    expect([good.length, refused]).toEqual([1, CALLERS - 1])
    expect(server.eventsOf('tokens.issued')).toHaveLength(1)
    expect((await server.refresh(good[0]?.refresh_token ?? '')).status).toBe(200)
  })

  it('with one refresh token and no overlap: one successor, the rest invalid_grant (RFC 9700 §4.14.2)', async () => {
    const { store, gather } = racing()
    const server = fixture({ store, storeTimeoutSeconds: 30, overlap: 0 })
    const { refresh_token } = await server.tokens({ scope })
    gather(CALLERS)
    const { good, refused } = await atOnce(server, { grant_type: 'refresh_token', refresh_token })

    expect([good.length, refused]).toEqual([1, CALLERS - 1])
    // A second use is a replay, and strictness takes no excuse: that one successor has ended with its grant.
    expect(server.eventsOf('grant.revoked')).toHaveLength(1)
    expectRefusal(await server.refresh(good[0]?.refresh_token ?? ''), 400, 'invalid_grant')
  })

  it('with one refresh token within the overlap: as many answers, all with the same successor', async () => {
    const { store, gather } = racing()
    const server = fixture({ store, storeTimeoutSeconds: 30 })
    const { refresh_token } = await server.tokens({ scope })
    gather(CALLERS)
    const { good } = await atOnce(server, { grant_type: 'refresh_token', refresh_token })

    expect(good).toHaveLength(CALLERS)
    expect(new Set(good.map((body) => body.access_token)).size).toBe(CALLERS)
    const successors = [...new Set(good.map((body) => body.refresh_token))]
    expect(successors).toHaveLength(1)
    expect(server.eventsOf('refresh.overlap')).toHaveLength(CALLERS - 1)
    expect(successors[0]).not.toBe(refresh_token)
    expect((await server.refresh(successors[0] ?? '')).status).toBe(200)
  })
})

/** A store before whose next moves something else happens. */
function interrupted() {
  const store = memoryStore()
  const interruptions: (() => PromiseLike<unknown>)[] = []
  let busy = false
  return {
    interruptions,
    store: {
      ...store,
      async advance(...move) {
        if (!busy) {
          busy = true
          await interruptions.shift()?.()
          busy = false
        }
        return store.advance(...move)
      },
    } satisfies TokenStore as TokenStore,
  }
}

describe('a revocation while tokens are being made wins (RFC 7009 §2.1)', () => {
  it.each<[string, (server: Fixture, token: string) => PromiseLike<unknown>]>([
    ['by the client', (server, token) => server.post('/revoke', { client_id: 'spa', token })],
    ['by the host, of all grants', ({ oauth }) => oauth.grants.revokeAll('alice')],
    [
      'by the host, of this grant',
      async ({ oauth }) => {
        const { grants } = await oauth.grants.list('alice')
        await oauth.grants.revoke('alice', grants[0]?.id ?? '')
      },
    ],
  ])('%s, of a refresh: rotated, kept, in the overlap', async (_who, revoke) => {
    for (const rotate of ['always', 'never'] as const) {
      const { store, interruptions } = interrupted()
      const server = fixture({ store, rotate })
      const { refresh_token } = await server.tokens()
      interruptions.push(() => revoke(server, refresh_token))

      expectRefusal(await server.refresh(refresh_token), 400, 'invalid_grant')
      expect((await server.oauth.grants.list('alice')).grants).toEqual([])
      expect(server.eventsOf('tokens.issued')).toHaveLength(1)
    }

    const { store, interruptions } = interrupted()
    const server = fixture({ store })
    const { refresh_token } = await server.tokens()
    const { body: current } = await server.refresh(refresh_token)
    interruptions.push(() => revoke(server, current.refresh_token))
    expectRefusal(await server.refresh(refresh_token), 400, 'invalid_grant')
    expect(server.eventsOf('refresh.overlap')).toEqual([])
  })

  it('by the host, of the exchange of a code', async () => {
    const { store, interruptions } = interrupted()
    const server = fixture({ store })
    const code = await server.code()
    interruptions.push(() => server.oauth.grants.revokeAll('alice'))

    expectRefusal(await server.exchange(code), 400, 'invalid_grant')
    expectRefusal(await server.exchange(code), 400, 'invalid_grant')
    expect(server.eventsOf('tokens.issued')).toEqual([])
  })
})

describe('another request moves the grant while tokens are being made', () => {
  it('once: the second look finds the overlap, and both have the same refresh token', async () => {
    const { store, interruptions } = interrupted()
    const server = fixture({ store })
    const { refresh_token } = await server.tokens()
    const others: string[] = []
    interruptions.push(async () => others.push((await server.refresh(refresh_token)).body.refresh_token))

    const { status, body } = await server.refresh(refresh_token)
    expect([status, body.refresh_token]).toEqual([200, others[0]])
  })

  it('once, and there is no overlap: the second look finds a replay (RFC 9700 §4.14.2)', async () => {
    const { store, interruptions } = interrupted()
    const server = fixture({ store, overlap: 0 })
    const { refresh_token } = await server.tokens()
    interruptions.push(() => server.refresh(refresh_token))

    expectRefusal(await server.refresh(refresh_token), 400, 'invalid_grant')
    expect(server.eventsOf('replay')).toMatchObject([{ presented: 1, current: 2, revoked: true }])
  })

  it('twice: 503, nobody is logged out, and the next try works', async () => {
    const { store, interruptions } = interrupted()
    const server = fixture({ store })
    const { refresh_token: first } = await server.tokens()
    let latest = first
    const rotate = async () => {
      latest = (await server.refresh(latest)).body.refresh_token
    }
    interruptions.push(rotate, rotate)

    expectUnavailable(await server.refresh(first))
    expect(server.eventsOf('request.refused')).toMatchObject([{ reason: 'lost_race' }])
    expect(server.eventsOf('replay')).toEqual([])
    expect((await server.refresh(first)).body.refresh_token).toBe(latest)
    expect((await server.refresh(latest)).status).toBe(200)
  })
})
