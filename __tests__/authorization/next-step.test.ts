// A host with one login, in the ten lines that the docs show; the browser keeps its cookies.
import type { Response } from 'supertest'
import { type AuthorizeFunction, type Login, memoryStore } from '../../lib'
import { ES256, expectToldToClient, type Fixture, fixture, ISSUER, jws, redirected } from '../support/fixture'

interface Browser {
  readonly server: Fixture
  login: Login | undefined
  consented: boolean
  /** What nextStep said, newest last. */
  readonly steps: string[]
  /** The request again and again, as a browser that comes back to its URL. */
  visit(overrides?: Record<string, string | undefined>): Promise<Response>
}

let clock = Date.parse('2026-05-04T10:00:00Z')
const ago = (seconds: number) => new Date(clock - seconds * 1000)

function browser(login: Login | undefined, { consented = true } = {}): Browser {
  let cookie = ''
  const authorize: AuthorizeFunction = (request, _req, res) => {
    const { login } = self
    const step = request.nextStep(login, self.consented)
    self.steps.push(step)
    if (!login || step === 'login' || step === 'select_account') return res.redirect(303, '/login')
    if (step === 'consent') return void res.send('May this client …?')
    return login
  }
  const server = fixture({ authorize, now: () => clock, store: memoryStore() })
  const self: Browser = {
    server,
    login,
    consented,
    steps: [],
    async visit(overrides) {
      const response = await server.authorize({ prompt: undefined, ...overrides }).set('Cookie', cookie)
      const set = [response.headers['set-cookie'] ?? []].flat().map(String)
      cookie = set[0]?.split(';')[0] ?? cookie
      return response
    },
  }
  return self
}

const alice = (seconds: number, more: Partial<Login> = {}): Login => ({
  subject: 'alice',
  authTime: ago(seconds),
  ...more,
})

const hintFor = (sub: string, aud = 'spa') =>
  jws(
    { alg: 'ES256', typ: 'JWT', kid: fixtureKid() },
    { iss: ISSUER, sub, aud, iat: clock / 1000 - 9000, exp: clock / 1000 - 8000 },
  )

let kid: string | undefined
function fixtureKid(): string {
  if (kid === undefined) throw new Error('fetched in beforeAll')
  return kid
}
beforeAll(async () => {
  kid = (await fixture({ signingKeys: [ES256] }).get('/oauth/jwks')).body.keys[0].kid
})

describe('prompt=none: an answer without any page (OIDC Core §3.1.2.1)', () => {
  it('is a code where the user is logged in and has consented', async () => {
    const { visit } = browser(alice(60))
    expect(redirected(await visit({ prompt: 'none' }))).toHaveProperty('code')
  })

  it.each([
    ['nobody is logged in', undefined, true, 'login_required', {}],
    ['consent was never given', alice(60), false, 'consent_required', {}],
    ['the login is too old (max_age)', alice(60), true, 'login_required', { max_age: '59' }],
  ])('is an error where %s', async (_what, login, consented, error, more) => {
    const { server, visit } = browser(login, { consented })
    expectToldToClient(await visit({ prompt: 'none', ...more }), error)
    expect(server.events).toMatchObject([{ type: 'authorization.denied', clientId: 'spa', error }])
  })

  it('is login_required where another user is logged in than the ID token hint says', async () => {
    const { visit } = browser(alice(60))
    expectToldToClient(await visit({ prompt: 'none', id_token_hint: hintFor('bob') }), 'login_required')
    expect(redirected(await visit({ prompt: 'none', id_token_hint: hintFor('alice') }))).toHaveProperty(
      'code',
    )
  })

  it('goes with no other value', async () => {
    expectToldToClient(await browser(alice(1)).visit({ prompt: 'none login' }), 'invalid_request')
  })
})

describe('a login is asked for', () => {
  it.each([
    ['where there is none', undefined, {}],
    ['by prompt=login, however fresh the one there is (OIDC Core §3.1.2.1)', alice(2), { prompt: 'login' }],
    ['where it is older than max_age (OIDC Core §3.1.2.1)', alice(101), { max_age: '100' }],
    ['by max_age=0, as by prompt=login', alice(2), { max_age: '0' }],
    [
      'where claims names another user (OIDC Core §5.5.1)',
      alice(2),
      { claims: JSON.stringify({ id_token: { sub: { value: 'bob' } } }) },
    ],
    [
      'where the acr is not one that is essential (OIDC Core §5.5.1.1)',
      alice(2, { acr: 'pwd' }),
      { claims: JSON.stringify({ id_token: { acr: { essential: true, values: ['mfa'] } } }) },
    ],
  ])(
    '%s; the login that follows is the one asked for, and the code comes of it',
    async (_what, login, asked) => {
      const host = browser(login)
      expect((await host.visit(asked)).headers.location).toBe('/login')
      clock += 5000
      host.login = {
        subject: JSON.stringify(asked).includes('bob') ? 'bob' : 'alice',
        authTime: ago(1),
        acr: 'mfa',
      }
      clock += 600_000 // reads the consent page for long
      expect(redirected(await host.visit(asked))).toHaveProperty('code')
      expect(host.steps).toEqual(['login', 'approve'])
    },
  )

  it('again, when the answered request comes once more: its login was for the one before', async () => {
    const host = browser(undefined)
    await host.visit({ prompt: 'login' })
    host.login = alice(0)
    expect(redirected(await host.visit({ prompt: 'login' }))).toHaveProperty('code')
    clock += 5000
    expect((await host.visit({ prompt: 'login' })).headers.location).toBe('/login')
  })

  it('again, where the login was a moment before the request (OIDC Core §3.1.2.1)', async () => {
    const host = browser(alice(0.001))
    clock += 1
    expect((await host.visit({ prompt: 'login' })).headers.location).toBe('/login')
  })

  it('once, by a host that keeps whole seconds', async () => {
    clock = Math.ceil(clock / 1000) * 1000 + 400
    const host = browser(undefined)
    await host.visit({ prompt: 'login' })
    clock += 100
    host.login = { subject: 'alice', authTime: new Date(Math.floor(clock / 1000) * 1000) }
    expect(redirected(await host.visit({ prompt: 'login' }))).toHaveProperty('code')
  })

  it('not where it is younger than max_age', async () => {
    expect(redirected(await browser(alice(99)).visit({ max_age: '100' }))).toHaveProperty('code')
  })

  it("by the client's own default_max_age (OIDC Registration §2)", async () => {
    const authorize: AuthorizeFunction = (request) => ({
      error: 'access_denied',
      description: request.nextStep({ subject: 'alice', authTime: new Date(Date.now() - 60_000) }, true),
    })
    const client = {
      client_id: 'c',
      token_endpoint_auth_method: 'none',
      redirect_uris: ['https://c.example'],
    }
    const asked = { client_id: 'c', redirect_uri: 'https://c.example' }
    const strict = fixture({ authorize, clients: [{ ...client, default_max_age: 30 }] })
    const lax = fixture({ authorize, clients: [{ ...client, default_max_age: 90 }] })
    expect(redirected(await strict.authorize(asked)).error_description).toBe('login')
    expect(redirected(await lax.authorize(asked)).error_description).toBe('approve')
    expect(redirected(await lax.authorize({ ...asked, max_age: '30' })).error_description).toBe('login')
  })
})

describe('a login that was recent enough when the request came (max_age, OIDC Core §3.1.2.1)', () => {
  it('is asked for once more when it has become too old over the consent page, and never in a circle', async () => {
    const host = browser(alice(50), { consented: false })
    expect((await host.visit({ max_age: '60' })).text).toBe('May this client …?')
    clock += 11_000
    host.consented = true
    expect((await host.visit({ max_age: '60' })).headers.location).toBe('/login')
    host.login = alice(0)
    clock += 3000_000 // over the consent page
    expect(redirected(await host.visit({ max_age: '60' }))).toHaveProperty('code')
    expect(host.steps).toEqual(['consent', 'login', 'approve'])
  })

  it.each([
    [10, 'code'],
    [11, 'error'],
  ])('is so still where the host takes %i s after nextStep: %s', async (seconds, answer) => {
    const authorize: AuthorizeFunction = (request) => {
      const login = alice(60)
      if (request.nextStep(login, true) !== 'approve') throw new Error('not recent')
      clock += seconds * 1000 // asks its database
      return login
    }
    const asked = fixture({ authorize, now: () => clock })
    expect(redirected(await asked.authorize({ max_age: '60' }))).toHaveProperty(answer)
  })
})

describe('a login that would not help is told to the client', () => {
  it.each([
    [
      'somebody else than the hint says (OIDC Core §3.1.2.1)',
      () => ({ id_token_hint: hintFor('bob') }),
      'login_required',
    ],
    [
      'no such acr (OIDC Unmet Authentication Requirements §2)',
      () => ({ claims: JSON.stringify({ id_token: { acr: { essential: true, value: 'mfa' } } }) }),
      'unmet_authentication_requirements',
    ],
  ])('%s', async (_what, asked, error) => {
    const host = browser(undefined)
    await host.visit(asked())
    host.login = alice(0, { acr: 'pwd' })
    expectToldToClient(await host.visit(asked()), error)
  })
})

describe('who must be logged in, by sub in claims (OIDC Core §5.5.1)', () => {
  const members = (userinfo: unknown, id_token?: unknown) => ({
    claims: JSON.stringify({ userinfo: { sub: userinfo ?? null }, id_token: { sub: id_token ?? null } }),
  })
  const [is, isIn] = [(value: string) => ({ value }), (...values: string[]) => ({ values })]

  it.each([
    ['userinfo and id_token, of whom one is in both', members(isIn('bob', 'alice'), is('alice'))],
    ['value and values, that agree', members(undefined, { value: 'alice', values: ['bob', 'alice'] })],
  ])('is looked for in %s', async (_what, asked) => {
    expect(redirected(await browser(alice(60)).visit({ ...asked, prompt: 'none' }))).toHaveProperty('code')
  })

  it.each([
    ['userinfo and id_token contradict', members(is('alice'), is('bob'))],
    ['another is in both', members(isIn('alice', 'bob'), isIn('bob', 'carol'))],
    ['value and values contradict', members({ value: 'alice', values: ['bob'] })],
    ['value is another, of those in values', members({ value: 'bob', values: ['alice', 'bob'] })],
    ['values are none', members(undefined, { values: [] })],
  ])('is nobody that is logged in where %s: login_required', async (_what, asked) => {
    const host = browser(alice(60))
    expectToldToClient(await host.visit({ ...asked, prompt: 'none' }), 'login_required')
    expect((await host.visit(asked)).headers.location).toBe('/login')
    host.login = alice(0)
    expectToldToClient(await host.visit(asked), 'login_required')
    const approving = fixture({ approval: alice(0), now: () => clock })
    expectToldToClient(await approving.authorize(asked), 'login_required')
  })
})

describe('consent that is remembered by request.asksFor (OIDC Core §3.1.2.4)', () => {
  /** The sample of docs/login-and-consent.md, with a user who is logged in. */
  function remembering() {
    const consents = new Set<string>()
    const authorize: AuthorizeFunction = (request, _req, res) => {
      const login = alice(60)
      const step = request.nextStep(
        login,
        request.asksFor.every((one) => consents.has(one)),
      )
      if (step === 'consent') {
        if (!request.form) return void res.send('May this client …?')
        for (const one of request.asksFor) consents.add(one)
      }
      return login
    }
    const server = fixture({
      authorize,
      now: () => clock,
      scopes: ['openid', 'profile', 'email'],
      resources: ['https://api.example'],
    })
    return {
      silently: (more: Record<string, string>) =>
        server.authorize({ client_id: 'web', scope: 'openid', prompt: 'none', ...more }),
      async allow(more: Record<string, string>) {
        const page = await server.authorize({ client_id: 'web', scope: 'openid', ...more })
        expect(page.text).toBe('May this client …?')
        const answer = await server.post(`/authorize${new URL(page.request.url).search}`, 'decision=allow')
        expect(redirected(answer)).toHaveProperty('code')
      },
    }
  }

  it.each<[string, Record<string, string>]>([
    ['a claim of another scope, from userinfo', { claims: '{"userinfo":{"email":null}}' }],
    ['a claim of another scope, in the ID token', { claims: '{"id_token":{"name":{"essential":true}}}' }],
    ['an API', { resource: 'https://api.example' }],
    ['a word of the scope', { scope: 'openid email' }],
  ])('is not consent to %s', async (_what, more) => {
    const host = remembering()
    expectToldToClient(await host.silently({}), 'consent_required')
    await host.allow({})
    expect(redirected(await host.silently({}))).toHaveProperty('code')

    expectToldToClient(await host.silently(more), 'consent_required')
    await host.allow(more)
    expect(redirected(await host.silently(more))).toHaveProperty('code')
  })

  it('is consent to single claims of the scope that was allowed', async () => {
    const host = remembering()
    await host.allow({ scope: 'openid email' })
    const claims = '{"userinfo":{"email":null},"id_token":{"email_verified":null}}'
    expect(redirected(await host.silently({ scope: 'openid email', claims }))).toHaveProperty('code')
  })
})

describe('the other steps', () => {
  it('asks for consent that was never given, and by prompt=consent for one that was (OIDC Core §3.1.2.4)', async () => {
    const never = browser(alice(60), { consented: false })
    expect((await never.visit()).text).toBe('May this client …?')
    const before = browser(alice(60), { consented: true })
    expect((await before.visit({ prompt: 'consent' })).text).toBe('May this client …?')
  })

  it('lets the user choose an account by prompt=select_account, once (OIDC Core §3.1.2.1)', async () => {
    const host = browser(alice(60))
    await host.visit({ prompt: 'select_account' })
    host.login = alice(60, { chosenAt: ago(0) })
    expect(redirected(await host.visit({ prompt: 'select_account' }))).toHaveProperty('code')
    expect(host.steps).toEqual(['select_account', 'approve'])
  })

  it('ignores values of prompt that nobody knows', async () => {
    expect(redirected(await browser(alice(60)).visit({ prompt: 'create' }))).toHaveProperty('code')
  })
})

describe('a host that does not ask what is needed', () => {
  it.each([
    ['prompt=login', { prompt: 'login' }],
    ['max_age', { max_age: '10' }],
    ['id_token_hint', { hint: 'bob' }],
  ])('cannot approve an older login, or another user: %s (OIDC Core §3.1.2.1)', async (_what, asked) => {
    const { hint, ...parameters } = { hint: undefined, ...asked }
    const server = fixture({ now: () => clock, approval: { subject: 'alice', authTime: ago(60) } })
    expectToldToClient(
      await server.authorize({ ...parameters, id_token_hint: hint && hintFor(hint) }),
      'login_required',
    )
    expect(server.events).toMatchObject([
      { type: 'host.trouble', operation: 'authorize', cause: expect.any(Error) },
      { type: 'request.refused', error: 'login_required' },
    ])
  })
})

describe('id_token_hint (OIDC Core §3.1.2.1)', () => {
  it.each([
    ['no JWT', () => 'nonsense'],
    ["another client's", () => hintFor('alice', 'web')],
    ['unsigned', () => `${Buffer.from('{"alg":"none"}').toString('base64url')}.e30.`],
  ])('is refused where it is no ID token of this client: %s', async (_what, hint) => {
    expectToldToClient(await browser(alice(1)).visit({ id_token_hint: hint() }), 'invalid_request')
  })
})

describe('claims (OIDC Core §5.5)', () => {
  it.each([
    '[]',
    'true',
    '{',
    '{"userinfo":[]}',
    '{"id_token":{"acr":"mfa"}}',
    '{"userinfo":{"name":1}}',
    '{"id_token":{"sub":{"value":248}}}',
    '{"userinfo":{"sub":{"values":[1]}}}',
    '{"id_token":{"sub":{"values":"alice"}}}',
  ])('is refused where it is malformed: %s', async (claims) => {
    expectToldToClient(await browser(alice(1)).visit({ claims }), 'invalid_request')
  })

  it('is handed to the host as the names that are asked for, of those that a scope of the server stands for', async () => {
    let seen: unknown
    const authorize: AuthorizeFunction = ({ claims }) => {
      seen = claims
      return { error: 'access_denied' }
    }
    const claims = {
      userinfo: { name: null, email: { essential: true }, 'https://app.example/x': null },
      id_token: { auth_time: { essential: true }, sub: { values: ['alice', 'bob'] } },
      other: 'ignored',
    }
    await fixture({
      authorize,
      scopes: ['openid', 'profile', 'mine'],
      scopeClaims: { mine: ['https://app.example/x'] },
    }).authorize({ claims: JSON.stringify(claims) })
    expect(seen).toEqual({
      userinfo: ['name', 'https://app.example/x'],
      idToken: [],
      subjects: ['alice', 'bob'],
      essentialAcr: undefined,
    })
  })
})
