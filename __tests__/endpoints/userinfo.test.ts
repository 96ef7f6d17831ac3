import request, { type Response } from 'supertest'
import { type Account, type AccountContext, type GrantType, memoryStore } from '../../lib'
import {
  APPROVAL,
  CLIENTS,
  claimsOf,
  type Fixture,
  type FixtureOptions,
  fixture,
  headerOf,
  ISSUER,
  jws,
} from '../support/fixture'

const PROFILE = {
  name: 'Alice Liddell',
  family_name: 'Liddell',
  given_name: 'Alice',
  middle_name: 'Pleasance',
  nickname: 'Al',
  preferred_username: 'alice',
  profile: 'https://alice.example',
  picture: 'https://alice.example/me.png',
  website: 'https://alice.example/blog',
  gender: 'female',
  birthdate: '1852-05-04',
  zoneinfo: 'Europe/London',
  locale: 'en-GB',
  updated_at: 1_767_000_000,
}
const EMAIL = { email: 'alice@example.com', email_verified: true }
const ADDRESS = { address: { formatted: 'Christ Church, Oxford', country: 'GB' } }
const PHONE = { phone_number: '+44 1865 000000', phone_number_verified: false }

/** More than any client may know. */
const TOLD = { ...PROFILE, ...EMAIL, ...ADDRESS, ...PHONE, 'name#fr': 'Alice L.', internal_note: 'secret' }

const SCOPES = ['openid', 'offline_access', 'profile', 'email', 'address', 'phone', 'read']

function server(options: FixtureOptions = {}): Fixture {
  return fixture({ scopes: SCOPES, findAccount: () => ({ claims: TOLD }), ...options })
}

const ask = ({ app }: Fixture, token: string) =>
  request(app).get('/oauth/userinfo').set('Authorization', `Bearer ${token}`)

/** What userinfo says after a flow with these parameters. */
async function userinfo(parameters: Record<string, string>, options?: FixtureOptions) {
  const asked = server(options)
  return (await ask(asked, (await asked.tokens(parameters)).access_token)).body
}

const CHALLENGE = `Bearer realm="${ISSUER}"`

/** The whole of a refusal, header and body alike (RFC 6750 §3). */
function expectRefused(
  response: Response,
  status: number,
  error: string,
  error_description: string,
  more = '',
): void {
  expect({ status: response.status, body: response.body }).toEqual({
    status,
    body: { error, error_description },
  })
  expect(response.headers).toMatchObject({
    'www-authenticate': `${CHALLENGE}, error="${error}", error_description="${error_description}"${more}`,
    'cache-control': 'no-store',
    'content-type': 'application/json; charset=utf-8',
    'access-control-allow-origin': '*',
  })
}

const expectInvalid = (response: Response) =>
  expectRefused(response, 401, 'invalid_token', 'The access token is not valid.')

describe('the userinfo endpoint (OIDC Core §5.3)', () => {
  it('answers with JSON: sub and what the scope stands for (§5.3.2), to GET and POST (§5.3.1)', async () => {
    const asked = server()
    const { access_token } = await asked.tokens({ scope: 'openid email' })
    const posted = await request(asked.app)
      .post('/oauth/userinfo')
      .set('Authorization', `Bearer ${access_token}`)

    for (const response of [await ask(asked, access_token), posted]) {
      expect(response.status).toBe(200)
      expect(response.headers).toMatchObject({
        'content-type': 'application/json; charset=utf-8',
        'cache-control': 'no-store',
        'access-control-allow-origin': '*',
      })
      expect(response.body).toEqual({ sub: 'alice', ...EMAIL })
    }
  })

  it('takes the token in a form (RFC 6750 §2.2)', async () => {
    const asked = server()
    const { access_token } = await asked.tokens({ scope: 'openid' })
    const { status, body } = await asked.post('/userinfo', { access_token })

    expect({ status, body }).toEqual({ status: 200, body: { sub: 'alice' } })
  })

  it('lets a script of another origin ask, with its token in a header (§5.3)', async () => {
    const { status, headers } = await request(server().app)
      .options('/oauth/userinfo')
      .set('Origin', 'https://spa.example')
      .set('Access-Control-Request-Headers', 'authorization')

    expect(status).toBe(204)
    expect(headers).toMatchObject({
      'access-control-allow-origin': '*',
      'access-control-allow-methods': 'GET, POST, OPTIONS',
      'access-control-allow-headers': expect.stringContaining('Authorization'),
    })
  })

  it('knows the user of a grant that began without a code', async () => {
    const apiKey: GrantType = {
      name: 'urn:example:api-key',
      parameters: [],
      handle: async ({ client }, context) =>
        context.newGrant(client, {
          subject: 'bob',
          scope: ['openid', 'email'],
          claims: { userinfo: ['nickname'] },
        }),
    }
    const clients = [{ client_id: 'cli', token_endpoint_auth_method: 'none', grant_types: [apiKey.name] }]
    const asked = server({ grants: [apiKey], clients })
    const { body } = await asked.post('/token', { client_id: 'cli', grant_type: apiKey.name })

    expect((await ask(asked, body.access_token)).body).toEqual({ sub: 'bob', ...EMAIL, nickname: 'Al' })
  })
})

describe('what the scope stands for (OIDC Core §5.4)', () => {
  it.each([
    ['openid', {}],
    ['openid profile', PROFILE],
    ['openid email', EMAIL],
    ['openid address', ADDRESS],
    ['openid phone', PHONE],
    ['openid profile email address phone', { ...PROFILE, ...EMAIL, ...ADDRESS, ...PHONE }],
  ])('%s', async (scope, claims) => {
    expect(await userinfo({ scope })).toEqual({ sub: 'alice', ...claims })
  })

  it('is what the user granted of it', async () => {
    const approval = { ...APPROVAL, scope: ['openid', 'email'] }
    expect(await userinfo({ scope: 'openid profile email' }, { approval })).toEqual({
      sub: 'alice',
      ...EMAIL,
    })
  })

  it('is less for an access token that was narrowed on a refresh (RFC 6749 §6)', async () => {
    const asked = server()
    const { refresh_token } = await asked.tokens({ scope: 'openid offline_access profile email' })
    const { body } = await asked.refresh(refresh_token, { scope: 'openid email' })

    expect((await ask(asked, body.access_token)).body).toEqual({ sub: 'alice', ...EMAIL })
  })

  it('is not in the ID token where there is an access token', async () => {
    const { id_token } = await server().tokens({ scope: 'openid profile email address phone' })

    for (const name of Object.keys(TOLD)) expect(claimsOf(id_token)).not.toHaveProperty([name])
  })

  it("may be the host's own words as well, as the option scopeClaims says", async () => {
    const options: FixtureOptions = {
      scopes: [...SCOPES, 'membership', 'constructor'],
      scopeClaims: { membership: ['member_since', 'level'] },
      findAccount: () => ({ claims: { member_since: 2019, level: 'gold', other: 1 } }),
    }
    expect(await userinfo({ scope: 'openid membership constructor' }, options)).toEqual({
      sub: 'alice',
      member_since: 2019,
      level: 'gold',
    })
  })
})

describe('claims that are asked for by name (OIDC Core §5.5)', () => {
  const claims = JSON.stringify({
    userinfo: { nickname: null, 'name#fr': { essential: true }, email: { value: 'mad@hatter.example' } },
    id_token: { given_name: null, phone_number: { essential: true } },
    other: { internal_note: null },
  })

  it('come from userinfo and in the ID token, as each was asked for; with a language too (§5.2)', async () => {
    const asked = server()
    const { access_token, id_token, refresh_token } = await asked.tokens({
      scope: 'openid offline_access',
      claims,
    })
    const refreshed = (await asked.refresh(refresh_token)).body

    for (const token of [access_token, refreshed.access_token])
      expect((await ask(asked, token)).body).toEqual({
        sub: 'alice',
        nickname: 'Al',
        'name#fr': 'Alice L.',
        email: EMAIL.email,
      })
    for (const token of [id_token, refreshed.id_token]) {
      expect(claimsOf(token)).toMatchObject({ given_name: 'Alice', phone_number: PHONE.phone_number })
      for (const name of ['nickname', 'email', 'name#fr', 'name', 'internal_note'])
        expect(claimsOf(token)).not.toHaveProperty([name])
    }
  })

  it('are added to what the scope stands for', async () => {
    expect(await userinfo({ scope: 'openid email', claims })).toEqual({
      sub: 'alice',
      ...EMAIL,
      nickname: 'Al',
      'name#fr': 'Alice L.',
    })
  })

  it('are no way around the scope that a client may ask for: names follow its record (RFC 7591 §2)', async () => {
    const clients = CLIENTS.map((client) => ({ ...client, scope: 'openid profile' }))
    const asked = server({ clients })
    const { access_token, id_token } = await asked.tokens({ scope: 'openid', claims })

    expect((await ask(asked, access_token)).body).toEqual({
      sub: 'alice',
      nickname: 'Al',
      'name#fr': 'Alice L.',
    })
    expect(claimsOf(id_token)).toMatchObject({ given_name: 'Alice' })
    expect(claimsOf(id_token)).not.toHaveProperty('phone_number')
  })

  it('are those that the user agreed to', async () => {
    const approval = { ...APPROVAL, claims: { userinfo: ['nickname'] } }
    const asked = server({ approval })
    const { access_token, id_token } = await asked.tokens({ scope: 'openid', claims })

    expect((await ask(asked, access_token)).body).toEqual({ sub: 'alice', nickname: 'Al' })
    expect(claimsOf(id_token)).not.toHaveProperty('given_name')
  })

  it('are, of one member, none where the user agreed to the other alone', async () => {
    const asked = server({ approval: { ...APPROVAL, claims: { idToken: ['given_name'] } } })
    const { access_token, id_token } = await asked.tokens({ scope: 'openid', claims })

    expect((await ask(asked, access_token)).body).toEqual({ sub: 'alice' })
    expect(claimsOf(id_token)).toMatchObject({ given_name: 'Alice' })
    expect(claimsOf(id_token)).not.toHaveProperty('phone_number')
  })

  it('are no way around a scope that the user denied (RFC 6749 §3.3)', async () => {
    const asked = server({ approval: { ...APPROVAL, scope: ['openid'] } })
    const names = { email: null, 'email#fr': null, nickname: null }
    const { access_token, id_token } = await asked.tokens({
      scope: 'openid email',
      claims: JSON.stringify({ userinfo: names, id_token: names }),
    })

    expect((await ask(asked, access_token)).body).toEqual({ sub: 'alice', nickname: 'Al' })
    expect(claimsOf(id_token)).toMatchObject({ nickname: 'Al' })
    expect(claimsOf(id_token)).not.toHaveProperty('email')
  })

  it('are no way around a scope that a refresh leaves out (RFC 6749 §6)', async () => {
    const asked = server()
    const { refresh_token } = await asked.tokens({
      scope: 'openid offline_access email',
      claims: '{"userinfo":{"email":null,"nickname":null},"id_token":{"email":null,"nickname":null}}',
    })
    const narrow = (await asked.refresh(refresh_token, { scope: 'openid' })).body
    const whole = (await asked.refresh(narrow.refresh_token)).body

    expect((await ask(asked, narrow.access_token)).body).toEqual({ sub: 'alice', nickname: 'Al' })
    expect(claimsOf(narrow.id_token)).toMatchObject({ nickname: 'Al' })
    expect(claimsOf(narrow.id_token)).not.toHaveProperty('email')
    expect((await ask(asked, whole.access_token)).body).toEqual({ sub: 'alice', nickname: 'Al', ...EMAIL })
    expect(claimsOf(whole.id_token)).toMatchObject({ email: EMAIL.email })
  })

  it('never replace what the library says: sub in both, and all of §2 in the ID token', async () => {
    const forged = Object.fromEntries(
      ['iss', 'sub', 'aud', 'exp', 'iat', 'auth_time', 'nonce', 'acr', 'amr', 'sid', 'at_hash'].map(
        (name) => [name, 'forged'],
      ),
    )
    const names = Object.fromEntries(Object.keys(forged).map((name) => [name, null]))
    const asked = server({ findAccount: () => ({ claims: forged }) })
    const { access_token, id_token } = await asked.tokens({
      scope: 'openid',
      claims: JSON.stringify({ userinfo: names, id_token: names }),
    })

    expect((await ask(asked, access_token)).body.sub).toBe('alice')
    expect(Object.values(claimsOf(id_token))).not.toContain('forged')
  })

  it.each([
    ['no JSON', 'nickname'],
    ['a list', '[]'],
    ['null', 'null'],
    ['a list for userinfo', '{"userinfo":["nickname"]}'],
    ['a string for a claim', '{"id_token":{"nickname":"Al"}}'],
  ])('in a way that is malformed, %s: invalid_request, told to the client', async (_what, malformed) => {
    const { status, headers } = await server().authorize({ claims: malformed })

    expect(status).toBe(303)
    expect(new URL(headers.location as string).searchParams.get('error')).toBe('invalid_request')
  })
})

describe('what has no value (OIDC Core §5.3.2)', () => {
  it('is left out, and so is whatever the host does not tell', async () => {
    const options: FixtureOptions = {
      findAccount: () => ({
        claims: { name: 'Alice', nickname: null, website: undefined, gender: '', updated_at: 0 },
      }),
    }
    expect(await userinfo({ scope: 'openid profile email' }, options)).toEqual({
      sub: 'alice',
      name: 'Alice',
      gender: '',
      updated_at: 0,
    })
  })

  it('leaves sub alone where the host tells nothing', async () => {
    expect(await userinfo({ scope: 'openid profile' }, { findAccount: () => ({}) })).toEqual({ sub: 'alice' })
  })
})

describe('findAccount', () => {
  it('is told what for it is asked, and which claims will be released', async () => {
    const questions: [string, AccountContext][] = []
    const asked = server({
      findAccount: (...question) => {
        questions.push(question)
        return {}
      },
    })
    const claims = '{"userinfo":{"nickname":null,"email":null},"id_token":{"gender":null}}'
    const { access_token } = await asked.tokens({ scope: 'openid email', claims })
    await ask(asked, access_token)
    await asked.exchange(await asked.code({ scope: 'email', claims }))

    const context = {
      client: expect.objectContaining({ client_id: 'spa' }),
      scope: ['openid', 'email'],
      authTime: APPROVAL.authTime,
    }
    expect(questions).toEqual([
      ['alice', { ...context, use: 'token', grantType: 'authorization_code', claims: ['gender'] }],
      [
        'alice',
        {
          ...context,
          use: 'userinfo',
          grantType: undefined,
          claims: ['email', 'email_verified', 'nickname'],
        },
      ],
      ['alice', { ...context, scope: ['email'], use: 'token', grantType: 'authorization_code', claims: [] }],
    ])
  })

  it.each<[string, Account | undefined, string]>([
    ['nothing: the user is gone', undefined, 'account_refused'],
    [
      'a later notBefore',
      { notBefore: new Date('2026-02-01'), claims: TOLD },
      'authenticated_before_not_before',
    ],
  ])('says %s: invalid_token (RFC 6750 §3.1)', async (_what, later, reason) => {
    let account: Account | undefined = { claims: TOLD }
    const asked = server({ findAccount: () => account })
    const { access_token } = await asked.tokens()

    account = later
    expectInvalid(await ask(asked, access_token))
    expect(asked.eventsOf('request.refused')).toMatchObject([
      { endpoint: 'userinfo', status: 401, error: 'invalid_token', reason, clientId: 'spa' },
    ])
  })

  it('throws: 503, and the client keeps its tokens', async () => {
    let broken = false
    const asked = server({
      findAccount: () => {
        if (broken) throw new Error('no database')
        return {}
      },
    })
    const { access_token } = await asked.tokens()

    broken = true
    const { status, headers, body } = await ask(asked, access_token)
    expect({ status, error: body.error }).toEqual({ status: 503, error: 'temporarily_unavailable' })
    expect(headers['retry-after']).toMatch(/^[1-9]\d*$/)
    expect(headers).not.toHaveProperty('www-authenticate')
    expect(asked.eventsOf('host.trouble')).toMatchObject([{ operation: 'findAccount' }])
  })
})

describe('a request without a good access token', () => {
  it('without any learns the scheme and nothing else (RFC 6750 §3.1)', async () => {
    const { app } = server()
    for (const asked of [
      request(app).get('/oauth/userinfo'),
      request(app).post('/oauth/userinfo'),
      request(app).post('/oauth/userinfo').type('form').send(''),
      request(app).get('/oauth/userinfo').auth('spa', 'secret'),
    ]) {
      const { status, headers, text } = await asked
      expect({ status, text }).toEqual({ status: 401, text: '' })
      expect(headers['www-authenticate']).toBe(CHALLENGE)
    }
  })

  it.each([
    ['garbage', () => 'garbage'],
    ['a refresh token', (tokens: Tokens) => tokens.refresh_token],
    ['an ID token', (tokens: Tokens) => tokens.id_token],
    [
      'one of another issuer',
      ({ access_token }: Tokens) =>
        jws(headerOf(access_token), { ...claimsOf(access_token), iss: 'https://other.example' }),
    ],
    [
      'one for another API only',
      ({ access_token }: Tokens) =>
        jws(headerOf(access_token), { ...claimsOf(access_token), aud: 'https://api.example' }),
    ],
    [
      'one that has expired',
      ({ access_token }: Tokens) => jws(headerOf(access_token), { ...claimsOf(access_token), exp: 1 }),
    ],
    [
      'one that says another user than its grant',
      ({ access_token }: Tokens) => jws(headerOf(access_token), { ...claimsOf(access_token), sub: 'bob' }),
    ],
    [
      'one with a signature of somebody else',
      ({ access_token }: Tokens) => `${access_token.slice(0, -4)}AAAA`,
    ],
  ])('has %s: invalid_token, by header and by form (RFC 6750 §3.1)', async (_what, made) => {
    const asked = server()
    const token = made(await asked.tokens())

    expectInvalid(await ask(asked, token))
    expectInvalid(await asked.post('/userinfo', { access_token: token }))
  })

  it.each(['Bearer', 'Bearer ', 'Bearer a b', 'Bearer ä'])(
    'has a header that is malformed, "%s": invalid_token (RFC 6750 §2.1)',
    async (header) => {
      expectInvalid(
        await request(server().app)
          .get('/oauth/userinfo')
          .set('Authorization', Buffer.from(header).toString('latin1')),
      )
    },
  )

  it('has one whose grant was revoked: invalid_token at once (RFC 7009 §2.1)', async () => {
    const asked = server()
    const { access_token } = await asked.tokens()
    await asked.oauth.grants.revokeAll('alice')

    expectInvalid(await ask(asked, access_token))
  })

  it('has one of a client that is gone: invalid_token', async () => {
    let clients = CLIENTS
    const asked = server({ clients: (id) => clients.find(({ client_id }) => client_id === id) })
    const { access_token } = await asked.tokens()

    clients = []
    expectInvalid(await ask(asked, access_token))
    expect(asked.eventsOf('request.refused')).toMatchObject([{ reason: 'unknown_client', clientId: 'spa' }])
  })

  it('has one of a grant that the record of its client does not honour any more: invalid_token', async () => {
    let notBefore: Date | undefined
    const asked = server({
      clients: (id) => {
        const client = CLIENTS.find(({ client_id }) => client_id === id)
        return client && { ...client, notBefore }
      },
    })
    const { access_token } = await asked.tokens()

    notBefore = new Date(Date.now() + 1000)
    expectInvalid(await ask(asked, access_token))
    expect(asked.eventsOf('request.refused')).toMatchObject([{ reason: 'granted_before_not_before' }])
  })

  it('has one without openid: 403 insufficient_scope, and which would do (RFC 6750 §3.1)', async () => {
    const asked = server()
    const { access_token } = (await asked.exchange(await asked.code({ scope: 'email' }))).body

    expectRefused(
      await ask(asked, access_token),
      403,
      'insufficient_scope',
      'The access token lacks a scope.',
      ', scope="openid"',
    )
  })

  it.each([
    ['in header and form', '', true],
    ['in the URI', '?access_token=', false],
  ])('has it %s: invalid_request (RFC 6750 §2, OAuth 2.1 §5.1.1)', async (_where, query, form) => {
    const asked = server()
    const { access_token } = await asked.tokens()
    const call = request(asked.app)
      .post(`/oauth/userinfo${query}${query && access_token}`)
      .type('form')
      .set('Authorization', `Bearer ${access_token}`)

    expectRefused(
      await call.send(form ? { access_token } : ''),
      400,
      'invalid_request',
      'The access token must be sent in one way, and not in the URI.',
    )
  })

  it('has it twice in the form, or in JSON: invalid_request (RFC 6750 §2.2)', async () => {
    const asked = server()
    const { access_token } = await asked.tokens()
    const twice = await asked.post('/userinfo', `access_token=${access_token}&access_token=${access_token}`)
    const json = await request(asked.app).post('/oauth/userinfo').send({ access_token })

    for (const response of [twice, json])
      expect([response.status, response.body.error]).toEqual([400, 'invalid_request'])
  })

  it('locks out nobody: a signature cannot be guessed', async () => {
    const asked = server({ rateLimit: { failuresPerAddress: 2, failuresPerClient: 2 } })
    const { access_token } = await asked.tokens()

    for (let i = 0; i < 5; i++) expectInvalid(await ask(asked, 'garbage'))
    expect((await ask(asked, access_token)).status).toBe(200)
  })

  it('by another method is 405 (RFC 9110 §15.5.6)', async () => {
    const { status, headers } = await request(server().app).put('/oauth/userinfo')
    expect([status, headers.allow]).toEqual([405, 'GET, POST, OPTIONS'])
  })
})

it('answers 503 while the store is down, never invalid_token', async () => {
  const store = memoryStore()
  let down = false
  const find = (key: string) => (down ? Promise.reject(new Error('down')) : store.find(key))
  const asked = server({ store: { ...store, find } })
  const { access_token } = await asked.tokens()

  down = true
  const { status, body } = await ask(asked, access_token)
  expect([status, body.error]).toEqual([503, 'temporarily_unavailable'])
})

interface Tokens {
  access_token: string
  refresh_token: string
  id_token: string
}
