import { claimsOf, fixture, headerOf, ISSUER } from '../support/fixture'

const NOW = Date.parse('2026-02-03T04:05:06.789Z')

describe('an access token (RFC 9068)', () => {
  it('says in its header that it is one (§2.1)', async () => {
    const { access_token } = await fixture().tokens()

    expect(headerOf(access_token)).toEqual({ alg: 'ES256', typ: 'at+jwt', kid: expect.any(String) })
  })

  it('has the claims of §2.2 and §2.2.3, and the name of its grant; on a refresh the same', async () => {
    let now = NOW
    const server = fixture({ now: () => now })
    const first = await server.tokens()
    now += 100_000
    const { body: second } = await server.refresh(first.refresh_token)
    const { grants } = await server.oauth.grants.list('alice')

    const claims = {
      iss: ISSUER,
      sub: 'alice',
      aud: ISSUER,
      client_id: 'spa',
      scope: 'openid offline_access',
      jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
      grant_id: grants[0]?.id,
    }
    const issued = Math.floor(NOW / 1000)
    expect(claimsOf(first.access_token)).toEqual({ ...claims, iat: issued, exp: issued + 600 })
    expect(claimsOf(second.access_token)).toEqual({ ...claims, iat: issued + 100, exp: issued + 700 })
  })

  it('is for the API that the option audience names (§2.2)', async () => {
    const server = fixture({ audience: 'https://api.example' })
    const { access_token, id_token } = await server.tokens()

    expect(claimsOf(access_token).aud).toBe('https://api.example')
    expect(claimsOf(id_token).aud).toBe('spa')
  })

  it('has a jti of its own each time, in the same second and the overlap as well (RFC 7519 §4.1.7)', async () => {
    const server = fixture({ now: () => NOW })
    const { access_token, refresh_token } = await server.tokens()
    const refreshed = [
      await server.refresh(refresh_token),
      await server.refresh(refresh_token),
      await server.refresh(refresh_token),
    ]

    const tokens = [access_token, ...refreshed.map(({ body }) => body.access_token)]
    expect(new Set(tokens.map((token) => claimsOf(token).jti)).size).toBe(4)
  })

  it('has no scope where none was granted (§2.2.3)', async () => {
    const server = fixture()
    const { body } = await server.exchange(await server.code({ scope: undefined }))

    expect(body).not.toHaveProperty('scope')
    expect(claimsOf(body.access_token)).not.toHaveProperty('scope')
  })

  it('lives as long as the option says, which is what expires_in says too (RFC 6749 §5.1)', async () => {
    const server = fixture({ lifetimes: { accessTokenSeconds: 42 } })
    const { access_token, expires_in } = await server.tokens()
    const { iat, exp } = claimsOf(access_token) as { iat: number; exp: number }

    expect([expires_in, exp - iat]).toEqual([42, 42])
  })

  it('carries nothing by which a refresh token or code could be made', async () => {
    const server = fixture()
    const code = await server.code()
    const { body } = await server.exchange(code)
    const text = JSON.stringify(claimsOf(body.access_token))

    for (const secret of [code, body.refresh_token]) {
      const bytes = Buffer.from(secret, 'base64url')
      for (const part of [bytes.subarray(3, 19), bytes.subarray(23)])
        for (const encoding of ['hex', 'base64url'] as const)
          expect(text).not.toContain(part.toString(encoding))
    }
  })
})
