import { createHash } from 'node:crypto'
import { CALLBACK, CHALLENGE, expectRefusal, fixture, redirected, VERIFIER } from '../support/fixture'

// RFC 7636, Proof Key for Code Exchange, with what RFC 9700 §2.1.1 and OAuth 2.1 make of it.

const s256 = (verifier: string) => createHash('sha256').update(verifier).digest('base64url')

describe('the code verifier (§4.1, §4.6)', () => {
  it('is the one of Appendix B', async () => {
    const server = fixture()
    const code = await server.code({ code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM' })

    const { status } = await server.exchange(code, {
      code_verifier: 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk',
    })
    expect(status).toBe(200)
  })

  it.each([
    ['43 characters', 'a'.repeat(43)],
    ['128 characters', 'Z'.repeat(128)],
    ['every unreserved character', 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~'],
  ])('may have %s (§4.1)', async (_what, verifier) => {
    const server = fixture()
    const code = await server.code({ code_challenge: s256(verifier) })

    expect((await server.exchange(code, { code_verifier: verifier })).status).toBe(200)
  })

  it.each([
    ['42 characters', 'a'.repeat(42)],
    ['129 characters', 'a'.repeat(129)],
    ['a space', `${'a'.repeat(43)} a`],
    ['a plus', `${'a'.repeat(43)}+`],
    ['a padding', `${'a'.repeat(43)}=`],
    ['a line feed at its end', `${'a'.repeat(43)}\n`],
    ['a NUL', `${'a'.repeat(43)}\0`],
    ['what is not ASCII', `${'a'.repeat(43)}ü`],
  ])('must not have %s, though the challenge fits it (§4.1)', async (_what, verifier) => {
    const server = fixture()
    const code = await server.code({ code_challenge: s256(verifier) })

    expectRefusal(await server.exchange(code, { code_verifier: verifier }), 400, 'invalid_grant')
  })

  it.each([
    ['missing (RFC 9700 §4.8.2)', undefined],
    ['empty', ''],
    ['another', VERIFIER.replace('the', 'The')],
    ['longer', `${VERIFIER}0`],
    ['the challenge itself, as plain would have it (§7.2)', CHALLENGE],
    ['the hash of the challenge', s256(CHALLENGE)],
  ])(
    'is wrong when it is %s: invalid_grant, and the code stays good for its owner (§4.6, OAuth 2.1 §7.5.2)',
    async (_what, verifier) => {
      const server = fixture({ codeReplaySeconds: 0 })
      const code = await server.code()

      expectRefusal(await server.exchange(code, { code_verifier: verifier }), 400, 'invalid_grant')
      expect(server.eventsOf('request.refused')).toMatchObject([{ reason: 'code_verifier_mismatch' }])
      expect((await server.exchange(code)).status).toBe(200)
    },
  )

  it("is the code's own: the verifier of another code of the same client does not do", async () => {
    const server = fixture()
    const another = 'another-verifier-of-at-least-43-characters-at-all'
    const [code, anothers] = [await server.code(), await server.code({ code_challenge: s256(another) })]

    expectRefusal(await server.exchange(code, { code_verifier: another }), 400, 'invalid_grant')
    expectRefusal(await server.exchange(anothers, { code_verifier: VERIFIER }), 400, 'invalid_grant')
  })

  it('does not do instead of client authentication: a confidential client needs both (RFC 9700 §2.1.1)', async () => {
    const server = fixture()
    const code = await server.code({ client_id: 'web' })

    expectRefusal(await server.exchange(code, { client_id: 'web' }), 401, 'invalid_client')
    expectRefusal(
      await server
        .exchange(code, { client_id: undefined, code_verifier: `${VERIFIER}0` })
        .auth('web', 'web-secret'),
      400,
      'invalid_grant',
    )
    const { status } = await server.exchange(code, { client_id: undefined }).auth('web', 'web-secret')
    expect(status).toBe(200)
  })
})

describe('the code challenge (§4.3, §4.4.1)', () => {
  it.each([
    ['missing', { code_challenge: undefined, code_challenge_method: undefined }],
    ['missing, but for its method', { code_challenge: undefined }],
    ['empty', { code_challenge: '' }],
    ['of the method plain (OAuth 2.1 §4.1.1)', { code_challenge_method: 'plain' }],
    ['without a method, which would be plain (§4.3)', { code_challenge_method: undefined }],
    ['of the method S256 in another case', { code_challenge_method: 's256' }],
    ['of an unknown method', { code_challenge_method: 'S512' }],
    ['of 42 characters', { code_challenge: CHALLENGE.slice(1) }],
    ['of 44 characters', { code_challenge: `${CHALLENGE}A` }],
    ['padded', { code_challenge: `${CHALLENGE}=` }],
    ['base64, not base64url', { code_challenge: `${CHALLENGE.slice(0, -1)}+` }],
    ['the verifier', { code_challenge: VERIFIER, code_challenge_method: 'S256' }],
  ])('is refused when it is %s: the client is told, and there is no code', async (_what, parameters) => {
    const response = await fixture().authorize(parameters)

    expect(response.status).toBe(303)
    expect(response.headers.location).toMatch(new RegExp(`^${CALLBACK}\\?`))
    expect(redirected(response)).toMatchObject({ error: 'invalid_request', state: 'a state' })
    expect(redirected(response)).not.toHaveProperty('code')
  })
})

describe("pkce: 'public' (RFC 9700 §2.1.1)", () => {
  const without = { code_challenge: undefined, code_challenge_method: undefined }

  it('lets a confidential OpenID client rely on its nonce', async () => {
    const server = fixture({ pkce: 'public' })
    const code = await server.code({ client_id: 'web', ...without })
    const { status } = await server
      .exchange(code, { client_id: undefined, code_verifier: undefined })
      .auth('web', 'web-secret')

    expect(status).toBe(200)
  })

  it.each([
    ['a public client', { client_id: 'spa' }],
    ['a confidential one without a nonce', { client_id: 'web', nonce: undefined }],
    ['a confidential one without openid', { client_id: 'web', scope: 'offline_access' }],
  ])('lets nobody else: not %s', async (_who, parameters) => {
    const response = await fixture({ pkce: 'public' }).authorize({ ...without, ...parameters })

    expect(redirected(response)).toMatchObject({ error: 'invalid_request' })
  })

  it('refuses a verifier where no challenge was sent: somebody took it out on the way (RFC 9700 §4.8.2)', async () => {
    const server = fixture({ pkce: 'public' })
    const code = await server.code({ client_id: 'web', ...without })
    const exchange = (verifier?: string) =>
      server.exchange(code, { client_id: undefined, code_verifier: verifier }).auth('web', 'web-secret')

    expectRefusal(await exchange(VERIFIER), 400, 'invalid_grant')
    expectRefusal(await exchange(s256('')), 400, 'invalid_grant')
    expect((await exchange()).status).toBe(200)
  })

  it('still asks for the verifier where a challenge was sent', async () => {
    const server = fixture({ pkce: 'public' })
    const code = await server.code({ client_id: 'web' })
    const response = await server
      .exchange(code, { client_id: undefined, code_verifier: undefined })
      .auth('web', 'web-secret')

    expectRefusal(response, 400, 'invalid_grant')
  })
})
