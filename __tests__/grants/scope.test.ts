import { claimsOf, expectRefusal, fixture } from '../support/fixture'

const scopes = ['openid', 'offline_access', 'read', 'write', 'admin']
const scope = 'openid offline_access read write'

describe('a narrower scope on refresh (RFC 6749 §6)', () => {
  it('narrows the access token, and says so (§5.1)', async () => {
    const server = fixture({ scopes })
    const { refresh_token } = await server.tokens({ scope })
    const { status, body } = await server.refresh(refresh_token, { scope: 'read' })

    expect(status).toBe(200)
    expect(body).toEqual({
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 600,
      scope: 'read',
      refresh_token: expect.any(String),
    })
    expect(claimsOf(body.access_token)).toMatchObject({ scope: 'read' })
  })

  it('leaves the refresh token its scope: the next refresh has all of it again', async () => {
    const server = fixture({ scopes })
    const { refresh_token } = await server.tokens({ scope })
    const { body: narrow } = await server.refresh(refresh_token, { scope: 'read' })
    const { body: full } = await server.refresh(narrow.refresh_token)

    expect(full).toMatchObject({ scope, id_token: expect.any(String) })
    expect(claimsOf(full.access_token)).toMatchObject({ scope })
    expect((await server.oauth.grants.list('alice')).grants).toMatchObject([{ scope: scope.split(' ') }])
  })

  it.each([
    ['in another order', 'write openid', 'write openid'],
    ['a word twice', 'read read', 'read'],
    ['all of it', scope, scope],
    ['empty, which is none at all (§3.2)', '', scope],
  ])('may be asked for %s', async (_how, asked, granted) => {
    const server = fixture({ scopes })
    const { refresh_token } = await server.tokens({ scope })

    const { status, body } = await server.refresh(refresh_token, { scope: asked })
    expect([status, body.scope]).toEqual([200, granted])
  })
})

describe('a scope that cannot be', () => {
  it.each([
    ['wider', 'openid read admin'],
    ['nothing but wider', 'admin'],
    ['unknown to the server', 'read nonsense'],
    ['in another case: scope is case-sensitive (§3.3)', 'Read'],
    ['malformed: two spaces', 'read  write'],
    ['malformed: a space before it', ' read'],
    ['malformed: a space alone', ' '],
    ['malformed: a tab', 'read\twrite'],
    ['malformed: a quote', 'read"'],
    ['malformed: a backslash', 'read\\'],
    ['malformed: not ASCII', 'réad'],
    ['malformed: NUL', 'read\0'],
    ['a name of JavaScript', '__proto__'],
  ])(
    'is invalid_scope, and the refresh token stays good, unrotated: %s (RFC 6749 §6)',
    async (what, asked) => {
      const server = fixture({ scopes, overlap: 0 })
      const { refresh_token } = await server.tokens({ scope })

      expectRefusal(await server.refresh(refresh_token, { scope: asked }), 400, 'invalid_scope')
      const reason = what.startsWith('malformed') ? 'malformed_scope' : 'wider_scope'
      expect(server.eventsOf('request.refused')).toMatchObject([{ reason }])
      expect((await server.refresh(refresh_token)).status).toBe(200)
    },
  )

  it('is what the user did not agree to, even where the client asked for it (RFC 6749 §3.3)', async () => {
    const approval = { subject: 'alice', scope: ['openid', 'offline_access', 'read'] }
    const server = fixture({ scopes, approval })
    const tokens = await server.tokens({ scope })

    expect(tokens.scope).toBe('openid offline_access read')
    expectRefusal(await server.refresh(tokens.refresh_token, { scope }), 400, 'invalid_scope')
    expect((await server.refresh(tokens.refresh_token)).body.scope).toBe('openid offline_access read')
  })
})
