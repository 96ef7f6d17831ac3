import { APPROVAL, CLIENTS, claimsOf, fixture, ISSUER } from '../support/fixture'

// OpenID Connect Core 1.0, as far as the token endpoint goes.

const NOW = Date.parse('2026-02-03T04:05:06.789Z')
const IAT = Math.floor(NOW / 1000)

describe('the ID token', () => {
  it('comes with the code exchange (§3.1.3.3) and has the claims of §2, §3.1.3.6', async () => {
    const { id_token } = await fixture({ now: () => NOW }).tokens()

    expect(claimsOf(id_token)).toEqual({
      iss: ISSUER,
      sub: 'alice',
      aud: 'spa',
      iat: IAT,
      exp: IAT + 600,
      auth_time: Date.parse('2026-01-02T03:04:05Z') / 1000,
      nonce: 'a-nonce',
      at_hash: expect.stringMatching(/^[A-Za-z0-9_-]{22}$/),
    })
  })

  it('has sid, acr and amr where the host gave them (§2)', async () => {
    const approval = { ...APPROVAL, sid: 'session-1', acr: 'urn:example:silver', amr: ['pwd', 'otp'] }
    const { id_token, refresh_token } = await fixture({ approval }).tokens()

    expect(refresh_token).toBeDefined()
    expect(claimsOf(id_token)).toMatchObject({
      sid: 'session-1',
      acr: 'urn:example:silver',
      amr: ['pwd', 'otp'],
    })
  })

  it('is there only where openid was granted (§3.1.2.1)', async () => {
    const server = fixture()
    const { body } = await server.exchange(await server.code({ scope: 'offline_access' }))
    const { body: refreshed } = await server.refresh(body.refresh_token)

    expect(body).not.toHaveProperty('id_token')
    expect(refreshed).not.toHaveProperty('id_token')
  })

  it('has the nonce unmodified, whatever it is (§2, §3.1.2.1)', async () => {
    const nonce = ' "ü\\\u0000 {}</script>'
    const { id_token } = await fixture().tokens({ nonce })

    expect(claimsOf(id_token).nonce).toBe(nonce)
  })

  it('has no nonce where none was sent (§2)', async () => {
    const { id_token } = await fixture().tokens({ nonce: undefined })

    expect(claimsOf(id_token)).not.toHaveProperty('nonce')
  })

  it('is for the client that asked: aud is its client_id, also one that is not plain (§2)', async () => {
    const clients = CLIENTS.map((client) =>
      client.client_id === 'spa' ? { ...client, client_id: 'https://client.example/app?a=1&b' } : client,
    )
    const { id_token } = await fixture({ clients }).tokens({ client_id: 'https://client.example/app?a=1&b' })

    expect(claimsOf(id_token).aud).toBe('https://client.example/app?a=1&b')
  })

  it('says when the user signed in, in seconds; now, where the host did not say (§2)', async () => {
    const given = fixture({ approval: { subject: 'alice', authTime: new Date('2026-01-02T03:04:05.999Z') } })
    const absent = fixture({ approval: { subject: 'alice' }, now: () => NOW })

    expect(claimsOf((await given.tokens()).id_token).auth_time).toBe(
      Date.parse('2026-01-02T03:04:05Z') / 1000,
    )
    expect(claimsOf((await absent.tokens()).id_token).auth_time).toBe(IAT)
  })

  it('lives as long as the option says, whatever the access token does (§2)', async () => {
    const server = fixture({ lifetimes: { idTokenSeconds: 42, accessTokenSeconds: 7 } })
    const { iat, exp } = claimsOf((await server.tokens()).id_token) as { iat: number; exp: number }

    expect(exp - iat).toBe(42)
  })
})

describe('a refreshed ID token (§12.2)', () => {
  const approval = { ...APPROVAL, sid: 'session-1', acr: 'silver', amr: ['pwd'] }

  it('has the same iss, sub, aud, auth_time and sid; a new iat, exp and at_hash; and no nonce', async () => {
    let now = NOW
    const server = fixture({ approval, now: () => now })
    const first = await server.tokens()
    now += 7_000_000
    const { body: second } = await server.refresh(first.refresh_token)

    const { nonce, at_hash, ...before } = claimsOf(first.id_token)
    expect(nonce).toBe('a-nonce')
    expect(claimsOf(second.id_token)).toEqual({
      ...before,
      iat: IAT + 7000,
      exp: IAT + 7600,
      at_hash: expect.stringMatching(/^[A-Za-z0-9_-]{22}$/),
    })
    expect(claimsOf(second.id_token).at_hash).not.toBe(at_hash)
  })

  it('says the same however often it is refreshed, rotated, kept or in the overlap', async () => {
    for (const rotate of ['always', 'never'] as const) {
      const server = fixture({ approval, now: () => NOW, rotate })
      const first = await server.tokens()
      const { nonce: _nonce, at_hash: _hash, ...same } = claimsOf(first.id_token)
      const second = await server.refresh(first.refresh_token)
      const again = await server.refresh(first.refresh_token)
      const third = await server.refresh(second.body.refresh_token)

      for (const { body } of [second, again, third]) {
        const { at_hash, ...claims } = claimsOf(body.id_token)
        expect(claims).toEqual(same)
        expect(at_hash).toEqual(expect.any(String))
      }
    }
  })

  it('is left out where the refresh asks for no openid, and back when the next one does (§12.1)', async () => {
    const server = fixture()
    const { refresh_token } = await server.tokens()
    const { body: narrow } = await server.refresh(refresh_token, { scope: 'offline_access' })
    const { body: full } = await server.refresh(narrow.refresh_token)

    expect(narrow).not.toHaveProperty('id_token')
    expect(full).toHaveProperty('id_token')
  })
})
