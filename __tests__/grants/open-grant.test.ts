import { type Approval, type Client, ConfigError } from '../../lib'
import { APPROVAL, CALLBACK, CHALLENGE, fixture, readRequest } from '../support/fixture'

const code = ['authorization_code']
const both = ['authorization_code', 'refresh_token']

describe('which tokens there are', () => {
  const all = 'openid offline_access read'

  it.each<[string, string | undefined, readonly string[] | undefined, boolean | undefined, boolean, boolean]>(
    [
      ['openid and offline_access', 'openid offline_access', both, undefined, true, true],
      ['openid alone: no refresh token (OIDC Core §11)', 'openid', both, undefined, false, true],
      ['openid and others: no refresh token (OIDC Core §11)', 'openid read', both, undefined, false, true],
      [
        'offline_access alone: no ID token (OIDC Core §3.1.2.1)',
        'offline_access',
        both,
        undefined,
        true,
        false,
      ],
      ['plain OAuth: the host decides (RFC 6749 §1.5)', 'read', both, undefined, true, false],
      ['no scope at all', undefined, both, undefined, true, false],
      ['the user did not agree to stay signed in', all, both, false, false, true],
      ['plain OAuth, and the user did not agree', 'read', both, false, false, false],
      ['the client may not refresh', all, code, undefined, false, true],
      ['the client may not refresh, whatever the user said', all, code, true, false, true],
      ['the client names no grant types (RFC 7591 §2)', all, undefined, true, false, true],
      ['agreeing does not stand in for offline_access', 'openid', both, true, false, true],
    ],
  )('%s', async (_case, scope, grantTypes, refreshToken, refreshes, identifies) => {
    const client: Client = {
      client_id: 'spa',
      token_endpoint_auth_method: 'none',
      redirect_uris: [CALLBACK],
      ...(grantTypes && { grant_types: grantTypes }),
    }
    const server = fixture({
      clients: [client],
      scopes: all.split(' '),
      approval: { ...APPROVAL, refreshToken },
    })
    const { status, body } = await server.exchange(await server.code({ scope }))

    expect(status).toBe(200)
    expect(['refresh_token' in body, 'id_token' in body]).toEqual([refreshes, identifies])
    expect(server.eventsOf('tokens.issued')).toEqual([
      {
        type: 'tokens.issued',
        grantType: 'authorization_code',
        grant: expect.any(String),
        clientId: 'spa',
        subject: 'alice',
        scope: scope?.split(' ') ?? [],
        idToken: identifies,
        refreshToken: refreshes,
      },
    ])
    if (refreshes) {
      const refreshed = await server.refresh(body.refresh_token)
      expect(['refresh_token' in refreshed.body, 'id_token' in refreshed.body]).toEqual([true, identifies])
    }
  })

  it('is decided by what the user granted, not by what the client asked for (OIDC Core §11)', async () => {
    const server = fixture({ approval: { ...APPROVAL, scope: ['openid'] } })
    const { body } = await server.exchange(await server.code({ scope: 'openid offline_access' }))

    expect(body).toEqual({
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 600,
      scope: 'openid',
      id_token: expect.any(String),
    })
  })
})

describe('where the client asked for openid, and the user granted all but that', () => {
  it.each([
    ['offline_access: a refresh token (OIDC Core §11)', ['offline_access', 'read'], true],
    ['no offline_access: none, for it was an OpenID request (OIDC Core §11)', ['read'], false],
  ])('%s', async (_what, granted, refreshes) => {
    const server = fixture({
      scopes: ['openid', 'offline_access', 'read'],
      approval: { ...APPROVAL, scope: granted },
    })
    const { body } = await server.exchange(await server.code({ scope: 'openid offline_access read' }))

    expect(['refresh_token' in body, 'id_token' in body]).toEqual([refreshes, false])
  })
})

describe('an approval that cannot be is told at once, and not to the client', () => {
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: 'spa',
    redirect_uri: CALLBACK,
    scope: 'openid',
    code_challenge: CHALLENGE,
    code_challenge_method: 'S256',
  })

  async function issue(approval: unknown) {
    const { oauth } = fixture()
    return oauth.issueCode(await readRequest(oauth, query), approval as Approval)
  }

  it.each([
    ['no subject', {}, 'approval.subject'],
    ['an empty subject', { subject: '' }, 'approval.subject'],
    ['a number as subject', { subject: 42 }, 'approval.subject'],
    ['a subject that is not ASCII (OIDC Core §2)', { subject: 'älice' }, 'approval.subject'],
    ['a subject of 256 characters (OIDC Core §2)', { subject: 'a'.repeat(256) }, 'approval.subject'],
    ['an authTime that is no date', { subject: 'alice', authTime: new Date('now') }, 'approval.authTime'],
    ['an authTime in milliseconds', { subject: 'alice', authTime: Date.now() }, 'approval.authTime'],
    ['a scope that was not asked for', { subject: 'alice', scope: ['openid', 'admin'] }, 'approval.scope'],
    ['a scope as a string', { subject: 'alice', scope: 'openid' }, 'approval.scope'],
    [
      'claims that were not asked for',
      { subject: 'alice', claims: { idToken: ['email'] } },
      'approval.claims.idToken',
    ],
    ['claims as a string', { subject: 'alice', claims: { userinfo: 'email' } }, 'approval.claims.userinfo'],
    ['a sid that is no string', { subject: 'alice', sid: 42 }, 'approval.sid'],
    ['an acr that is no string', { subject: 'alice', acr: 1 }, 'approval.acr'],
    ['amr as a string', { subject: 'alice', amr: 'pwd' }, 'approval.amr'],
    ['amr with something else than strings', { subject: 'alice', amr: [null] }, 'approval.amr'],
    ['a label that is no string', { subject: 'alice', label: null }, 'approval.label'],
  ])('%s', async (_what, approval, option) => {
    await expect(issue(approval)).rejects.toBeInstanceOf(ConfigError)
    await expect(issue(approval)).rejects.toMatchObject({ option })
  })

  it('255 characters of ASCII are a subject', async () => {
    expect(await issue({ subject: 'a'.repeat(255) })).toMatchObject({
      code: expect.stringMatching(/^[A-Za-z0-9_-]{52}$/),
      redirectTo: expect.stringContaining(`${CALLBACK}?code=`),
    })
  })
})
