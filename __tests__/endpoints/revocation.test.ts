import type { Response } from 'supertest'
import { memoryStore, type TokenStore } from '../../lib'
import { expectRefusal, type Fixture, fixture, headerOf, jws } from '../support/fixture'

const RS = ['api', 'api-secret'] as const

function revoke({ post }: Fixture, token: string, more: Record<string, string> = {}) {
  return post('/revoke', { client_id: 'spa', token, ...more })
}

/** Empty, and kept by no cache: an answer of this endpoint tells nothing but that it was heard (RFC 7009 §2.2). */
function expectDone(response: Response): void {
  const { date: _date, ...headers } = response.headers
  expect({ status: response.status, text: response.text, headers }).toEqual({
    status: 200,
    text: '',
    headers: {
      'cache-control': 'no-store',
      pragma: 'no-cache',
      'content-length': '0',
      'x-powered-by': 'Express',
      connection: 'close',
      'access-control-allow-origin': '*',
      'access-control-expose-headers': 'WWW-Authenticate, DPoP-Nonce, Retry-After',
    },
  })
}

async function isActive({ post }: Fixture, token: string): Promise<boolean> {
  const { body } = await post('/introspect', { token }).auth('web', 'web-secret')
  return body.active
}

describe('revoking a token', () => {
  it.each(['access_token', 'refresh_token'] as const)(
    'by its %s ends the grant, with every token of it (RFC 7009 §2.1)',
    async (kind) => {
      const server = fixture()
      const first = await server.tokens({ client_id: 'web' })
      const { body: second } = await server
        .refresh(first.refresh_token, { client_id: undefined })
        .auth('web', 'web-secret')
      expect(await isActive(server, first.access_token)).toBe(true)

      expectDone(await server.post('/revoke', { token: first[kind] }).auth('web', 'web-secret'))

      for (const token of [first.access_token, second.access_token, second.refresh_token])
        expect(await isActive(server, token)).toBe(false)
      expectRefusal(
        await server.refresh(second.refresh_token, { client_id: undefined }).auth('web', 'web-secret'),
        400,
        'invalid_grant',
      )
    },
  )

  it.each([
    ['the public client itself', 'spa'],
    ['client_secret_post', 'post'],
  ])('takes the word of %s (RFC 7009 §2.1)', async (_what, clientId) => {
    const server = fixture()
    const { refresh_token } = await server.tokens({ client_id: clientId })
    const proof = { client_id: clientId, ...(clientId === 'post' && { client_secret: 'post-secret' }) }

    expectDone(await server.post('/revoke', { ...proof, token: refresh_token }))
    expectRefusal(await server.refresh(refresh_token, proof), 400, 'invalid_grant')
  })

  it.each(['access_token', 'refresh_token', 'id_token', 'wrong'])(
    'finds it whatever the hint says: %s (RFC 7009 §2.1)',
    async (hint) => {
      const server = fixture()
      const { access_token, refresh_token } = await server.tokens()
      expectDone(await revoke(server, access_token, { token_type_hint: hint }))
      expectRefusal(await server.refresh(refresh_token), 400, 'invalid_grant')
    },
  )

  it('ends the grant by a refresh token that was rotated away too: whoever revokes wants it ended', async () => {
    const server = fixture({ overlap: 0 })
    const { refresh_token: old } = await server.tokens()
    const { body } = await server.refresh(old)

    expectDone(await revoke(server, old))
    expectRefusal(await server.refresh(body.refresh_token), 400, 'invalid_grant')
  })

  it('ends this grant alone: another device of the same user stays', async () => {
    const server = fixture()
    const [phone, laptop] = [await server.tokens(), await server.tokens()]

    expectDone(await revoke(server, phone.refresh_token))
    expect((await server.refresh(laptop.refresh_token)).status).toBe(200)
  })

  it('is done once, however often and at once it is asked, and told once', async () => {
    const server = fixture()
    const { access_token, refresh_token } = await server.tokens()

    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => revoke(server, i % 2 ? access_token : refresh_token)),
    )
    for (const answer of answers) expectDone(answer)
    expectDone(await revoke(server, refresh_token))
    expect(server.eventsOf('grant.revoked')).toEqual([
      {
        type: 'grant.revoked',
        by: 'client',
        subject: 'alice',
        clientId: 'spa',
        grant: expect.any(String),
        count: 1,
      },
    ])
  })
})

describe('what there is nothing to revoke in', () => {
  it.each([
    ['garbage', () => 'garbage'],
    ['a null character and others that no token has', () => 'a\0b\r\né'],
    ['much garbage', () => 'x'.repeat(60_000)],
    ['a damaged refresh token', ({ refresh_token }) => refresh_token.replace(/^.{20}/, 'A'.repeat(20))],
    ['a damaged access token', ({ access_token }) => access_token.slice(0, -8)],
    ['an ID token', ({ id_token }) => id_token],
    [
      'a JWT of another key',
      ({ access_token }) => jws(headerOf(access_token), { grant_id: 'x' }, () => Buffer.from('x')),
    ],
  ] as [string, (tokens: Awaited<ReturnType<Fixture['tokens']>>) => string][])(
    'is answered like what there is: %s (RFC 7009 §2.2)',
    async (_what, tokenOf) => {
      const server = fixture()
      const tokens = await server.tokens()
      expectDone(await revoke(server, tokenOf(tokens)))
      expect((await server.refresh(tokens.refresh_token)).status).toBe(200)
      expect(server.eventsOf('grant.revoked')).toEqual([])
    },
  )

  it('is an authorization code, and it stays good (RFC 7009 §2.1)', async () => {
    const server = fixture()
    const code = await server.code()
    expectDone(await revoke(server, code))
    expect((await server.exchange(code)).status).toBe(200)
  })

  it('is an access token that expired, and its grant stays (RFC 7009 §2.2)', async () => {
    let time = Date.now()
    const server = fixture({ now: () => time })
    const { access_token, refresh_token } = await server.tokens()
    time += 600_000

    expectDone(await revoke(server, access_token))
    expect((await server.refresh(refresh_token)).status).toBe(200)
  })

  it.each(['access_token', 'refresh_token'] as const)(
    "is another client's %s: it stays, and the answer does not tell (RFC 7009 §2.1)",
    async (kind) => {
      const server = fixture()
      const tokens = await server.tokens()

      expectDone(await revoke(server, tokens[kind], { client_id: 'other' }))
      expectDone(await server.post('/revoke', { token: tokens[kind] }).auth(...RS))
      expect((await server.refresh(tokens.refresh_token)).status).toBe(200)
      expect(server.eventsOf('grant.revoked')).toEqual([])
    },
  )
})

describe('a revocation request', () => {
  it.each([
    ['no client', {}, undefined],
    ['an unknown client', { client_id: 'nobody' }, undefined],
    ['a confidential client without its secret', { client_id: 'web' }, undefined],
    ['a wrong secret', {}, 'wrong'],
  ])('by %s is refused, not answered with 200 (RFC 7009 §2.1)', async (_what, form, secret) => {
    const server = fixture()
    const { refresh_token } = await server.tokens({ client_id: 'web' })
    const asked = server.post('/revoke', { ...form, token: refresh_token })
    const response = await (secret === undefined ? asked : asked.auth('web', secret))

    expectRefusal(response, 401, 'invalid_client')
    expect('www-authenticate' in response.headers).toBe(secret !== undefined)
    expect(await isActive(server, refresh_token)).toBe(true)
  })

  it.each([
    ['without a token', 'client_id=spa'],
    ['with an empty one', 'client_id=spa&token='],
    ['with two', 'client_id=spa&token=a&token=b'],
  ])('%s is refused (RFC 7009 §2.1, RFC 6749 §3.2)', async (_what, form) => {
    expectRefusal(await fixture().post('/revoke', form), 400, 'invalid_request')
  })

  it('with the token in the query is refused (RFC 6749 §2.3.1)', async () => {
    expectRefusal(await fixture().post('/revoke?token=a', { client_id: 'spa' }), 400, 'invalid_request')
  })

  it('is answered to scripts of other origins: browser clients sign out (RFC 7009 §2.3)', async () => {
    const server = fixture()
    const response = await revoke(server, 'garbage').set('Origin', 'https://spa.example')
    expect(response.headers['access-control-allow-origin']).toBe('*')
  })
})

describe('the store is down', () => {
  it.each(['find', 'revoke'] as const)(
    'in %s: 503 and never 200, and the retry does it (RFC 7009 §2.2.1, Fosite CVE-2020-15223)',
    async (method) => {
      let down = false
      const memory = memoryStore()
      const failing = (key: string) => (down ? Promise.reject(new Error('down')) : memory[method](key))
      const server = fixture({ store: { ...memory, [method]: failing } as TokenStore })
      const { refresh_token, access_token } = await server.tokens()

      down = true
      for (const token of [refresh_token, access_token]) {
        const response = await revoke(server, token)
        expectRefusal(response, 503, 'temporarily_unavailable')
        expect(response.headers['retry-after']).toBe('1')
      }
      expect(server.eventsOf('store.trouble')).toMatchObject([{ operation: method }, { operation: method }])

      down = false
      expectDone(await revoke(server, refresh_token))
      expectRefusal(await server.refresh(refresh_token), 400, 'invalid_grant')
    },
  )

  it('does not matter for what a look alone refuses: a made-up token is never asked for', async () => {
    const server = fixture({ store: { ...memoryStore(), find: () => Promise.reject(new Error('down')) } })
    const response = await revoke(server, 'A'.repeat(52))
    expectDone(response)
  })
})
