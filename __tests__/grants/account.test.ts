import { type Account, type AccountContext, memoryStore } from '../../lib'
import {
  APPROVAL,
  claimsOf,
  expectRefusal,
  expectUnavailable,
  fixture,
  ISSUER,
  watched,
} from '../support/fixture'

describe('findAccount', () => {
  it('is asked before any token is issued: for whom, which client, what was agreed to, and since when', async () => {
    const asked: [string, AccountContext][] = []
    const server = fixture({
      findAccount: (...question) => {
        asked.push(question)
        return {}
      },
    })
    const { refresh_token } = await server.tokens()
    await server.refresh(refresh_token, { scope: 'openid' })

    const whatever = {
      client: expect.objectContaining({ client_id: 'spa' }),
      scope: ['openid', 'offline_access'],
      authTime: APPROVAL.authTime,
      use: 'token',
      claims: [],
    }
    expect(asked).toEqual([
      ['alice', { ...whatever, grantType: 'authorization_code' }],
      ['alice', { ...whatever, grantType: 'refresh_token' }],
    ])
  })

  it.each([
    ['undefined', undefined],
    ['null, as databases say it', null],
    ['a promise of undefined', Promise.resolve(undefined)],
  ])(
    'answers %s: invalid_grant for code and refresh token, but nothing is used up or revoked',
    async (_what, none) => {
      let gone = false
      const calls: string[] = []
      const server = fixture({
        findAccount: () => (gone ? (none as undefined) : {}),
        store: watched(memoryStore(), calls),
        overlap: 0,
      })
      const [code, { refresh_token }] = [await server.code(), await server.tokens()]
      calls.length = 0

      gone = true
      expectRefusal(await server.exchange(code), 400, 'invalid_grant')
      expectRefusal(await server.refresh(refresh_token), 400, 'invalid_grant')
      expect(calls).toEqual(['find', 'find'])
      expect(server.eventsOf('request.refused')).toMatchObject(Array(2).fill({ reason: 'account_refused' }))

      gone = false
      expect((await server.exchange(code)).status).toBe(200)
      expect((await server.refresh(refresh_token)).status).toBe(200)
    },
  )

  it.each([
    ['before the user signed in', -1000, 200],
    ['when the user signed in', 0, 200],
    ['later in the very second the user signed in: auth_time has no fractions', 999, 200],
    ['after the user signed in', 1000, 400],
  ])('answers with a notBefore %s -> %3$i', async (_when, later, status) => {
    let notBefore: Date | undefined
    const server = fixture({ findAccount: () => ({ notBefore }) })
    const [code, { refresh_token }] = [await server.code(), await server.tokens()]

    notBefore = new Date(Number(APPROVAL.authTime) + later)
    expect((await server.exchange(code)).status).toBe(status)
    expect((await server.refresh(refresh_token)).status).toBe(status)
    expect(server.eventsOf('grant.revoked')).toEqual([])
  })

  it('answers with a notBefore that is no date: refused, not let in', async () => {
    const server = fixture({ findAccount: () => ({ notBefore: new Date('yesterday') }) })

    expectRefusal(await server.exchange(await server.code()), 400, 'invalid_grant')
  })

  it.each([
    [
      'throws',
      () => {
        throw new Error('the user table is away')
      },
    ],
    ['rejects', () => Promise.reject(new Error('the user table is away'))],
  ])('%s: 503 and an event, never invalid_grant, and the next try works', async (_how, fail) => {
    let failing = false
    const server = fixture({ findAccount: () => (failing ? fail() : {}), overlap: 0 })
    const [code, { refresh_token }] = [await server.code(), await server.tokens()]

    failing = true
    expectUnavailable(await server.exchange(code))
    expectUnavailable(await server.refresh(refresh_token))
    expect(server.eventsOf('host.trouble')).toEqual(
      Array(2).fill({ type: 'host.trouble', operation: 'findAccount', cause: expect.any(Error) }),
    )

    failing = false
    expect((await server.exchange(code)).status).toBe(200)
    expect((await server.refresh(refresh_token)).status).toBe(200)
  })
})

describe('claims of the host', () => {
  it('are in the token they are for, and follow the account at each refresh', async () => {
    let account: Account = {}
    const server = fixture({ findAccount: () => account })
    account = { accessTokenClaims: { roles: ['user'] }, idTokenClaims: { name: 'Alice' } }
    const first = await server.tokens()
    account = { accessTokenClaims: { roles: ['admin'] }, idTokenClaims: { name: 'Alice B.' } }
    const { body: second } = await server.refresh(first.refresh_token)

    expect(claimsOf(first.access_token)).toMatchObject({ roles: ['user'] })
    expect(claimsOf(first.access_token)).not.toHaveProperty('name')
    expect(claimsOf(first.id_token)).toMatchObject({ name: 'Alice' })
    expect(claimsOf(first.id_token)).not.toHaveProperty('roles')
    expect(claimsOf(second.access_token)).toMatchObject({ roles: ['admin'] })
    expect(claimsOf(second.id_token)).toMatchObject({ name: 'Alice B.' })
  })

  const theirs = {
    iss: 'https://attacker.example',
    sub: 'mallory',
    aud: 'elsewhere',
    exp: 9_999_999_999,
    iat: 1,
    jti: 'always the same',
    client_id: 'other',
    scope: 'admin',
    grant_id: '0000.aaaaaaaaaaaaaaaaaaaaaa',
    nonce: 'of somebody else',
    at_hash: 'AAAA',
    auth_time: 1,
    sid: 'of somebody else',
    acr: 'gold',
    amr: ['hwk'],
  }

  it('never replace one that an access token has from the library (RFC 9068 §2.2)', async () => {
    const now = Date.parse('2026-02-03T04:05:06Z')
    const server = fixture({ findAccount: () => ({ accessTokenClaims: theirs }), now: () => now })
    const { access_token } = await server.tokens()

    const { jti, grant_id, ...claims } = claimsOf(access_token)
    const { nonce, at_hash, auth_time, sid, acr, amr } = theirs
    expect(claims).toEqual({
      ...{ nonce, at_hash, auth_time, sid, acr, amr },
      iss: ISSUER,
      sub: 'alice',
      aud: ISSUER,
      client_id: 'spa',
      scope: 'openid offline_access',
      iat: now / 1000,
      exp: now / 1000 + 600,
    })
    expect(jti).not.toBe(theirs.jti)
    expect(grant_id).not.toBe(theirs.grant_id)
  })

  it('never give an access token a scope where none was granted', async () => {
    const server = fixture({ findAccount: () => ({ accessTokenClaims: theirs }) })
    const { body } = await server.exchange(await server.code({ scope: undefined }))

    expect(body).not.toHaveProperty('scope')
    expect(claimsOf(body.access_token)).not.toHaveProperty('scope')
  })

  it('never replace or stand in for one that an ID token has from the library (OIDC Core §2)', async () => {
    const now = Date.parse('2026-02-03T04:05:06Z')
    const server = fixture({ findAccount: () => ({ idTokenClaims: theirs }), now: () => now })
    const first = await server.tokens()
    const { body: second } = await server.refresh(first.refresh_token)

    const { jti, client_id, scope, grant_id } = theirs
    const expected = {
      ...{ jti, client_id, scope, grant_id },
      iss: ISSUER,
      sub: 'alice',
      aud: 'spa',
      iat: now / 1000,
      exp: now / 1000 + 600,
      auth_time: Number(APPROVAL.authTime) / 1000,
      at_hash: expect.not.stringMatching(/^AAAA$/),
    }
    expect(claimsOf(first.id_token)).toEqual({ ...expected, nonce: 'a-nonce' })
    expect(claimsOf(second.id_token)).toEqual(expected)
  })
})
