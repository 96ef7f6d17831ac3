import { memoryStore } from '../../lib'
import { createLinks, newGrantId, subjectKey } from '../../lib/tokens/link'
import { claimsOf, expectRefusal, fixture, ISSUER, SECRET, watched } from '../support/fixture'

const OTHER_SECRET = 'another-secret-of-thirty-two-bytes-or-more'

describe('the text of a code or refresh token', () => {
  it('is 52 characters of base64url, code or refresh token, whoever it is for', async () => {
    const server = fixture({ authorize: () => ({ subject: 'a'.repeat(255) }) })
    const code = await server.code()
    const { body } = await server.exchange(code)

    expect(code).toMatch(/^[A-Za-z0-9_-]{52}$/)
    expect(body.refresh_token).toMatch(/^[A-Za-z0-9_-]{52}$/)
  })

  it('is a new one for each grant, and does not tell the user', async () => {
    const server = fixture()
    const codes = [await server.code(), await server.code()].map((code) => Buffer.from(code, 'base64url'))

    // Version, partition, then what is random.
    const [one, two] = codes as [Buffer, Buffer]
    expect(one.subarray(0, 3)).toEqual(two.subarray(0, 3))
    expect(one.subarray(3, 19)).not.toEqual(two.subarray(3, 19))
    for (const code of codes) expect(code.toString('latin1')).not.toContain('alice')
  })

  it.each(['code', 'refresh token'])(
    'has no bit that can be changed: of a %s, each one flipped is refused and the store is never asked',
    async (kind) => {
      const calls: string[] = []
      const server = fixture({ store: watched(memoryStore(), calls) })
      const code = await server.code()
      const token = kind === 'code' ? code : (await server.exchange(code)).body.refresh_token
      const present = (text: string) => (kind === 'code' ? server.exchange(text) : server.refresh(text))
      calls.length = 0

      for (let bit = 0; bit < 39 * 8; bit++) {
        const flipped = Buffer.from(token, 'base64url')
        flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7))
        const { status, body } = await present(flipped.toString('base64url'))
        expect([bit, status, body.error]).toEqual([bit, 400, 'invalid_grant'])
      }
      expect(calls).toEqual([])
      expect((await present(token)).status).toBe(200)
    },
  )

  it('is of its kind: a code is no refresh token, and a refresh token is no code', async () => {
    const calls: string[] = []
    const server = fixture({ store: watched(memoryStore(), calls) })
    const code = await server.code()
    const { refresh_token } = await server.tokens()
    calls.length = 0

    expectRefusal(await server.refresh(code), 400, 'invalid_grant')
    expectRefusal(await server.exchange(refresh_token), 400, 'invalid_grant')
    expect(calls).toEqual([])
  })

  it('is of its kind by its MAC alone, whatever number it has', () => {
    const links = createLinks(ISSUER, [Buffer.from(SECRET)])
    const link = { grantId: newGrantId(subjectKey(ISSUER, 'alice')), number: 1 }

    expect(links.decode('refresh_token', links.encode('code', link))).toBeUndefined()
    expect(links.decode('code', links.encode('refresh_token', link))).toBeUndefined()
  })

  it.each([
    ['of another issuer with the same secret', { issuer: `${ISSUER}/` }],
    ['of the same issuer with another secret', { secret: OTHER_SECRET }],
  ])('%s is refused, and the shared store is never asked', async (_whose, elsewhere) => {
    const calls: string[] = []
    const store = memoryStore()
    const server = fixture({ store: watched(store, calls) })
    const other = fixture({ store, ...elsewhere })
    const [code, { refresh_token }] = [await other.code(), await other.tokens()]

    expectRefusal(await server.exchange(code), 400, 'invalid_grant')
    expectRefusal(await server.refresh(refresh_token), 400, 'invalid_grant')
    expect(calls).toEqual([])
  })

  it('is bound to a key by its MAC: with another thumbprint, or none, it is not known', () => {
    const links = createLinks(ISSUER, [Buffer.from(SECRET)])
    const link = { grantId: newGrantId(subjectKey(ISSUER, 'alice')), number: 3 }
    const bound = links.encode('refresh_token', link, 'thumbprint')
    const unbound = links.encode('refresh_token', link)

    expect(links.decode('refresh_token', bound, 'thumbprint')).toEqual({ ...link, byFirstSecret: true })
    expect(links.decode('refresh_token', unbound)).toEqual({ ...link, byFirstSecret: true })
    expect(links.decode('refresh_token', bound, 'another')).toBeUndefined()
    expect(links.decode('refresh_token', bound)).toBeUndefined()
    expect(links.decode('refresh_token', unbound, 'thumbprint')).toBeUndefined()
  })

  it('numbers links up to 4,294,967,295', () => {
    const links = createLinks(ISSUER, [Buffer.from(SECRET)])
    for (const number of [0, 1, 255, 256, 65_536, 4_294_967_295]) {
      const link = { grantId: newGrantId(subjectKey(ISSUER, 'alice')), number }
      expect(links.decode('code', links.encode('code', link))).toEqual({ ...link, byFirstSecret: true })
    }
  })
})

describe('a change of the secret', () => {
  const [old, neu] = [SECRET, OTHER_SECRET]

  /** The same store, a server for each step of the change. */
  function steps() {
    const store = memoryStore()
    const at = (...secret: string[]) => fixture({ store, secret, rotate: 'never' })
    return [at(old), at(old, neu), at(neu, old), at(neu)] as const
  }

  it('[old, new] still makes what a server with [old] understands, and the other way round', async () => {
    const [first, second] = steps()
    const { refresh_token: a } = await first.tokens()
    const { refresh_token: b } = await second.tokens()

    expect((await second.refresh(a)).body.refresh_token).toBe(a)
    expect((await first.refresh(b)).body.refresh_token).toBe(b)
  })

  it('[new, old] hands out a kept refresh token anew, under the new secret, which is all that [new] knows', async () => {
    const [first, second, third, fourth] = steps()
    const { refresh_token: before } = await first.tokens()
    await second.refresh(before)

    const { status, body } = await third.refresh(before)
    expect(status).toBe(200)
    expect(body.refresh_token).not.toBe(before)
    expect((await second.refresh(body.refresh_token)).status).toBe(200)
    expect((await fourth.refresh(body.refresh_token)).body.refresh_token).toBe(body.refresh_token)
    expectRefusal(await fourth.refresh(before), 400, 'invalid_grant')
  })

  it('a refresh token that was not used in between ends with the old secret, and nothing is revoked', async () => {
    const [first, , , fourth] = steps()
    const { refresh_token } = await first.tokens()

    expectRefusal(await fourth.refresh(refresh_token), 400, 'invalid_grant')
    expect((await first.refresh(refresh_token)).status).toBe(200)
  })

  it('codes in flight survive each step', async () => {
    const [first, second, third, fourth] = steps()

    expect((await second.exchange(await first.code())).status).toBe(200)
    expect((await third.exchange(await second.code())).status).toBe(200)
    expect((await fourth.exchange(await third.code())).status).toBe(200)
  })

  it('a spent refresh token of the old secret is a replay still', async () => {
    const store = memoryStore()
    const [before, after] = [
      fixture({ store, secret: old, overlap: 0 }),
      fixture({ store, secret: [neu, old], overlap: 0 }),
    ]
    const { refresh_token: first } = await before.tokens()
    const { body: second } = await after.refresh(first)

    expectRefusal(await after.refresh(first), 400, 'invalid_grant')
    expectRefusal(await after.refresh(second.refresh_token), 400, 'invalid_grant')
    expect(after.eventsOf('replay')).toMatchObject([{ revoked: true }])
  })

  it.each([
    ['a string', SECRET],
    ['bytes', Buffer.from(SECRET)],
  ])('the same secret makes the same tokens, given as %s', async (_form, secret) => {
    const store = memoryStore()
    const { refresh_token } = await fixture({ store, rotate: 'never' }).tokens()

    const { body } = await fixture({ store, rotate: 'never', secret }).refresh(refresh_token)
    expect(body.refresh_token).toBe(refresh_token)
  })
})

describe("the store's keys", () => {
  it("of a user's grants share the partition that the token carries", async () => {
    const server = fixture()
    const partition = (token: string) => Buffer.from(token, 'base64url').toString('hex', 1, 3)
    const [one, two] = [await server.tokens(), await server.tokens({ client_id: 'other' })]

    expect(partition(one.refresh_token)).toBe(partition(two.refresh_token))
    expect(claimsOf(one.access_token).grant_id).toMatch(new RegExp(`^${partition(one.refresh_token)}\\.`))
  })
})
