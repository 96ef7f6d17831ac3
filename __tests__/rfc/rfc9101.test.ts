// Signed authorization requests, clause by clause (RFC 9101): who may have signed them, for whom, when, and what counts.
import {
  constants,
  createHmac,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from 'node:crypto'
import { type AuthorizeFunction, type Client, type InteractiveRequest, memoryStore } from '../../lib'
import {
  APPROVAL,
  CALLBACK,
  CHALLENGE,
  CLIENTS,
  ES256,
  expectErrorPage,
  expectRefusal,
  expectToldToClient,
  type Fixture,
  fixture,
  ISSUER,
  jws,
  redirected,
} from '../support/fixture'

const KEY = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const SECOND = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const STRANGE = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const P384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey
const RSA = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
const WEAK = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey

const jwk = (key: KeyObject, more: object = {}) => ({
  ...createPublicKey(key).export({ format: 'jwk' }),
  ...more,
})

const signed = { redirect_uris: [CALLBACK], grant_types: ['authorization_code', 'refresh_token'] }

/** `jar` signs by `KEY`, `any` by several, `must` has to; `pinned` by PS256 alone. */
const SIGNING: readonly Client[] = [
  {
    ...signed,
    client_id: 'jar',
    token_endpoint_auth_method: 'none',
    jwks: { keys: [jwk(KEY, { kid: 'k1' })] },
  },
  {
    ...signed,
    client_id: 'any',
    token_endpoint_auth_method: 'none',
    jwks: {
      keys: [
        jwk(WEAK),
        jwk(STRANGE, { use: 'enc' }),
        jwk(KEY, { kid: 'k1' }),
        jwk(SECOND, { kid: 'k2', use: 'sig', key_ops: ['verify'] }),
        jwk(P384),
        jwk(RSA),
      ],
    },
  },
  {
    ...signed,
    client_id: 'must',
    token_endpoint_auth_method: 'none',
    jwks: { keys: [jwk(KEY)] },
    require_signed_request_object: true,
  },
  {
    ...signed,
    client_id: 'pinned',
    token_endpoint_auth_method: 'none',
    jwks: { keys: [jwk(RSA), jwk(KEY)] },
    request_object_signing_alg: 'PS256',
  },
]

const NOW = Date.parse('2026-05-04T10:00:00Z')
const SECONDS = NOW / 1000

function server(options: Parameters<typeof fixture>[0] = {}): Fixture {
  return fixture({ clients: [...CLIENTS, ...SIGNING], now: () => NOW, ...options })
}

type Claims = Record<string, unknown>

function claims(overrides: Claims = {}): Claims {
  const clientId = overrides.client_id ?? 'jar'
  return {
    iss: clientId,
    aud: ISSUER,
    iat: SECONDS,
    nbf: SECONDS,
    exp: SECONDS + 60,
    jti: 'one',
    client_id: clientId,
    response_type: 'code',
    redirect_uri: CALLBACK,
    scope: 'openid offline_access',
    state: 'a state',
    nonce: 'a-nonce',
    code_challenge: CHALLENGE,
    code_challenge_method: 'S256',
    ...overrides,
  }
}

/** How each algorithm signs (RFC 7518 §3.1). */
const MAKERS: Record<string, (key: KeyObject) => (input: Buffer) => Buffer> = Object.fromEntries(
  ['256', '384', '512'].flatMap((bits) => [
    [`RS${bits}`, (key: KeyObject) => (input: Buffer) => sign(`sha${bits}`, input, key)],
    [
      `PS${bits}`,
      (key: KeyObject) => (input: Buffer) =>
        sign(`sha${bits}`, input, {
          key,
          padding: constants.RSA_PKCS1_PSS_PADDING,
          saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
        }),
    ],
    [
      `ES${bits}`,
      (key: KeyObject) => (input: Buffer) => sign(`sha${bits}`, input, { key, dsaEncoding: 'ieee-p1363' }),
    ],
  ]),
)

const HEADER = { alg: 'ES256', typ: 'oauth-authz-req+jwt' }

function object(overrides: Claims = {}, header: Record<string, unknown> = {}, key: KeyObject = KEY): string {
  const alg = String(header.alg ?? HEADER.alg)
  return jws({ ...HEADER, ...header }, claims(overrides), MAKERS[alg]?.(key))
}

/** As a client sends it: the object, and its own name. */
function authorize(on: Fixture, request: string, clientId = 'jar', more: Record<string, string> = {}) {
  return on.get(`/oauth/authorize?${new URLSearchParams({ client_id: clientId, request, ...more })}`)
}

async function refused(request: string, clientId = 'jar', reason?: string): Promise<void> {
  const on = server()
  const response = await authorize(on, request, clientId, { redirect_uri: CALLBACK, response_type: 'code' })
  expectErrorPage(response)
  expect(response.text).toContain('<code>invalid_request_object</code>')
  expect(on.eventsOf('request.refused')).toMatchObject([
    { error: 'invalid_request_object', clientId, ...(reason && { reason }) },
  ])
  // In a pushed request it is no better (RFC 9126 §3).
  expectRefusal(await on.post('/par', { client_id: clientId, request }), 400, 'invalid_request_object')
}

const SUCCESS = { code: expect.any(String), state: 'a state', iss: ISSUER }

describe('a signed request', () => {
  it('is as good as one in a query (§5, §6.3)', async () => {
    const on = server()
    const { code, ...others } = redirected(await authorize(on, object()))
    expect(others).toEqual({ state: 'a state', iss: ISSUER })
    const tokens = await on.exchange(code as string, { client_id: 'jar' })
    expect(tokens.body).toMatchObject({ scope: 'openid offline_access' })
  })

  it('counts alone, even for what it leaves out (§6.3)', async () => {
    let seen: InteractiveRequest | undefined
    const on = server({
      authorize: (request) => {
        seen = request
        return APPROVAL
      },
    })
    const forged = {
      redirect_uri: 'https://attacker.example/callback',
      response_type: 'token',
      response_mode: 'form_post',
      scope: 'openid',
      state: 'forged',
      nonce: 'forged',
      prompt: 'none',
      login_hint: 'mallory',
      code_challenge: 'x'.repeat(43),
    }
    const response = await authorize(on, object({ nonce: undefined }), 'jar', forged)
    expect(response.headers.location?.startsWith(`${CALLBACK}?`)).toBe(true)
    expect(redirected(response)).toEqual(SUCCESS)
    expect(seen).toMatchObject({
      scope: ['openid', 'offline_access'],
      nonce: undefined,
      prompt: [],
      loginHint: undefined,
      codeChallenge: CHALLENGE,
    })
  })

  it('may be posted, and pushed: §3 of RFC 9126', async () => {
    const on = server()
    const posted = await on.post('/authorize', { client_id: 'jar', request: object() })
    expect(redirected(await on.get(posted.headers.location as string))).toEqual(SUCCESS)

    const { status, body } = await on.post('/par', { client_id: 'jar', request: object(), state: 'forged' })
    expect(status).toBe(201)
    const query = new URLSearchParams({ client_id: 'jar', request_uri: body.request_uri })
    expect(redirected(await on.get(`/oauth/authorize?${query}`))).toEqual(SUCCESS)
  })

  it('holds the client_id where it is pushed beside Basic (RFC 9126 §3)', async () => {
    const web = {
      ...CLIENTS.find(({ client_id }) => client_id === 'web'),
      jwks: { keys: [jwk(KEY)] },
    } as Client
    const on = server({ clients: [web] })
    const pushed = await on.post('/par', { request: object({ client_id: 'web' }) }).auth('web', 'web-secret')
    expect(pushed.status).toBe(201)
    const other = await on.post('/par', { request: object({ client_id: 'jar' }) }).auth('web', 'web-secret')
    expectRefusal(other, 400, 'invalid_request_object')
  })

  it('carries numbers and JSON objects as what they are (§4, OIDC Core §6.1)', async () => {
    let seen: InteractiveRequest | undefined
    const on = server({
      authorize: (request) => {
        seen = request
        return { error: 'access_denied' }
      },
    })
    await authorize(on, object({ max_age: 300, claims: { id_token: { sub: { value: 'alice' } } } }))
    expect(seen).toMatchObject({ maxAge: 300, expectedSubjects: ['alice'] })
  })

  it('may name several resources (RFC 8707 §2)', async () => {
    const resources = ['https://api.example', 'https://other.example']
    const seen: unknown[] = []
    const on = server({
      resources,
      authorize: (request) => {
        seen.push(...request.resources)
        return APPROVAL
      },
    })
    expect(redirected(await authorize(on, object({ resource: resources })))).toEqual(SUCCESS)
    expect(redirected(await authorize(on, object({ resource: resources[0] })))).toEqual(SUCCESS)
    expect(seen).toEqual([...resources, resources[0]])
  })

  it('may have claims that nobody knows (RFC 7519 §4)', async () => {
    expect(redirected(await authorize(server(), object({ foo: [1, { bar: true }] })))).toEqual(SUCCESS)
  })
})

describe('the signature (§6.2)', () => {
  it.each([
    ['RS256', RSA],
    ['RS384', RSA],
    ['RS512', RSA],
    ['PS256', RSA],
    ['PS384', RSA],
    ['PS512', RSA],
    ['ES256', KEY],
    ['ES384', P384],
  ] as const)('may be %s, by a key of the client that makes it', async (alg, key) => {
    const request = object({ client_id: 'any' }, { alg }, key)
    expect(redirected(await authorize(server(), request, 'any'))).toEqual(SUCCESS)
  })

  it.each([
    ['the key that kid names', { kid: 'k2' }, SECOND],
    ['any that fits, without kid', {}, SECOND],
    ['one that was registered without a kid', { kid: 'of its own', alg: 'ES384' }, P384],
  ])('is looked for with %s (RFC 7515 §4.1.4)', async (_what, header, key) => {
    const request = object({ client_id: 'any' }, header, key)
    expect(redirected(await authorize(server(), request, 'any'))).toEqual(SUCCESS)
  })

  it.each([
    ['a key that nobody registered', object({ client_id: 'any' }, {}, STRANGE)],
    ['a key that is registered for encryption', object({ client_id: 'any' }, { kid: undefined }, STRANGE)],
    ['another key than kid names', object({ client_id: 'any' }, { kid: 'k1' }, SECOND)],
    ['a kid that nobody registered', object({ client_id: 'any' }, { kid: 'k3' }, SECOND)],
    ['a kid that is no string', object({ client_id: 'any' }, { kid: { toString: 'k1' } })],
    ['an RSA key of 1024 bits (RFC 7518 §3.3)', object({ client_id: 'any' }, { alg: 'RS256' }, WEAK)],
    [
      'a curve that does not match (RFC 7518 §3.4)',
      jws({ ...HEADER, alg: 'ES384' }, claims({ client_id: 'any' }), MAKERS.ES384?.(KEY)),
    ],
    ['our own key', object({ client_id: 'any' }, {}, ES256)],
  ])('is not by %s', async (_what, request) => {
    await refused(request, 'any', 'bad_signature')
  })

  it("is not by another client's key (§6.2)", async () => {
    await refused(object({}, {}, SECOND))
  })

  it('is not of another object', async () => {
    const [header, , signature] = object().split('.')
    const payload = Buffer.from(JSON.stringify(claims({ scope: 'openid' }))).toString('base64url')
    await refused(`${header}.${payload}.${signature}`)
  })

  const pem = createPublicKey(KEY).export({ type: 'spki', format: 'pem' })
  const hmac = (secret: string | Buffer) => (input: Buffer) =>
    createHmac('sha256', secret).update(input).digest()

  it.each([
    ['none, without a signature', jws({ alg: 'none' }, claims(), () => Buffer.alloc(0))],
    ['none, with one', jws({ ...HEADER, alg: 'none' }, claims())],
    ['NONE', jws({ ...HEADER, alg: 'NONE' }, claims(), MAKERS.ES256?.(KEY))],
    ['HS256 with the public key as PEM', jws({ ...HEADER, alg: 'HS256' }, claims(), hmac(pem as string))],
    [
      'HS256 with the public key as JWK',
      jws({ ...HEADER, alg: 'HS256' }, claims(), hmac(JSON.stringify(jwk(KEY)))),
    ],
    ['RS256 by a key that is EC', jws({ ...HEADER, alg: 'RS256' }, claims(), MAKERS.ES256?.(KEY))],
    ['missing', jws({ typ: HEADER.typ }, claims(), MAKERS.ES256?.(KEY))],
    ['a list', jws({ ...HEADER, alg: ['ES256'] }, claims(), MAKERS.ES256?.(KEY))],
  ])('has an algorithm that the key fixes: not %s (§10.1, RFC 8725 §3.1)', async (_what, request) => {
    await refused(request, 'jar', 'bad_signature')
  })

  it.each([
    ['jwk', { jwk: jwk(STRANGE) }],
    ['jku', { jku: 'https://attacker.example/jwks' }],
    ['x5u', { x5u: 'https://attacker.example/x5u' }],
    ['x5c', { x5c: ['MIIB'] }],
  ])('has no key of its own: %s is ignored (RFC 8725 §3.10)', async (_what, header) => {
    await refused(object({}, header, STRANGE), 'jar', 'bad_signature')
    expect(redirected(await authorize(server(), object({}, header)))).toEqual(SUCCESS)
  })

  it.each([
    ['unknown', ['x']],
    ['b64', ['b64']],
    ['empty', []],
    ['no list', 'x'],
  ])('has no crit, which nobody here understands: %s (RFC 7515 §4.1.11)', async (_what, crit) => {
    await refused(object({}, { crit, b64: false, x: 1 }), 'jar', 'bad_signature')
  })

  it('is of the one algorithm that the client registered (OIDC Registration §2)', async () => {
    const request = (alg: string, key: KeyObject) => object({ client_id: 'pinned' }, { alg }, key)
    expect(redirected(await authorize(server(), request('PS256', RSA), 'pinned'))).toEqual(SUCCESS)
    await refused(request('RS256', RSA), 'pinned')
    await refused(request('ES256', KEY), 'pinned')
  })

  it.each([
    ['nothing', '.'],
    ['a text', 'x.y.z'],
    ['two parts', object().split('.').slice(0, 2).join('.')],
    ['encrypted (RFC 7516 §3.1)', 'eyJhbGciOiJSU0EtT0FFUCJ9.a.b.c.d'],
    ['in JSON (RFC 7515 §7.2)', JSON.stringify({ payload: 'x', signatures: [] })],
    ['of a payload that is no object', jws(HEADER, [claims()], MAKERS.ES256?.(KEY))],
    ['of null', jws(HEADER, null as unknown as object, MAKERS.ES256?.(KEY))],
    ['very long', `${object()}${'A'.repeat(7000)}`],
  ])('makes a request object, and %s is none', async (_what, request) => {
    await refused(request)
  })
})

describe('what it is for (§4, §10.8)', () => {
  it.each([
    'oauth-authz-req+jwt',
    'OAUTH-AUTHZ-REQ+JWT',
    'application/oauth-authz-req+jwt',
    'JWT',
    undefined,
  ])('may have the type %s', async (typ) => {
    expect(redirected(await authorize(server(), object({}, { typ })))).toEqual(SUCCESS)
  })

  it.each([
    'at+jwt',
    'dpop+jwt',
    'client-authentication+jwt',
    'logout+jwt',
    'x-oauth-authz-req+jwt',
    1,
    null,
  ])('has no type of another kind of JWT: %s', async (typ) => {
    await refused(object({}, { typ }), 'jar', 'bad_signature')
  })

  it.each<[what: string, overrides: Claims, reason: string]>([
    ['for another server', { aud: 'https://other.example' }, 'other_audience'],
    ['for another server that begins alike', { aud: `${ISSUER}/` }, 'other_audience'],
    ['for another of our URLs', { aud: `${ISSUER}/authorize` }, 'other_audience'],
    ['for nobody', { aud: undefined }, 'other_audience'],
    ['for none of a list', { aud: [] }, 'other_audience'],
    ['of another issuer', { iss: 'other' }, 'other_client'],
    ['of nobody', { iss: undefined }, 'other_client'],
    [
      'about nobody, such as an assertion (RFC 7523 §3)',
      { client_id: undefined, iss: 'jar', sub: 'jar' },
      'other_client',
    ],
    ['an assertion all the same', { sub: 'jar' }, 'client_assertion'],
  ])('is not %s', async (_what, overrides, reason) => {
    await refused(jws(HEADER, { ...claims(), ...overrides }, MAKERS.ES256?.(KEY)), 'jar', reason)
  })

  it('may be for several, of which we are one (RFC 7519 §4.1.3)', async () => {
    const aud = ['https://other.example', ISSUER]
    expect(redirected(await authorize(server(), object({ aud })))).toEqual(SUCCESS)
  })

  it('says the same client_id as the request (§5, §6.3)', async () => {
    await refused(object({ client_id: 'must' }), 'jar', 'other_client')
    await refused(object({ client_id: 'jar' }), 'must', 'other_client')
  })

  it('needs the client_id beside it (§5)', async () => {
    const response = await server().get(`/oauth/authorize?request=${object()}`)
    expect(response.status).toBe(400)
    expect(response.text).toContain('client_id is missing')
  })

  it('is no ID token or access token of ours', async () => {
    const on = server()
    const { id_token, access_token } = await on.tokens()
    for (const request of [id_token, access_token]) {
      const response = await authorize(on, request, 'jar')
      expect(response.text).toContain('<code>invalid_request_object</code>')
    }
  })
})

describe('its times (FAPI 2.0 Security Profile §5.3.2.1)', () => {
  it.each<[what: string, overrides: Claims]>([
    ['dated 8 s ahead', { iat: SECONDS + 8, nbf: SECONDS + 8 }],
    ['dated 60 s ahead', { iat: SECONDS + 60, nbf: SECONDS + 60 }],
    ['about to expire', { exp: SECONDS + 1 }],
    ['with a fraction of a second', { exp: SECONDS + 0.5, iat: SECONDS - 0.5 }],
    ['without any (§4)', { exp: undefined, nbf: undefined, iat: undefined }],
  ])('are good: %s', async (_what, overrides) => {
    expect(redirected(await authorize(server(), object(overrides)))).toEqual(SUCCESS)
  })

  it.each<[what: string, overrides: Claims]>([
    ['iat 61 s ahead', { iat: SECONDS + 61 }],
    ['nbf 61 s ahead', { nbf: SECONDS + 61 }],
    ['expired now', { exp: SECONDS }],
    ['expired for 5 min', { exp: SECONDS - 300 }],
    ['exp of another type', { exp: String(SECONDS + 60) }],
    ['exp null', { exp: null }],
    ['nbf of another type', { nbf: true }],
    ['iat of another type', { iat: '2026' }],
  ])('are not: %s', async (_what, overrides) => {
    await refused(object(overrides), 'jar', 'untimely_request_object')
  })

  it('let a login take longer than it is good for: what counts is when the browser came', async () => {
    let clock = NOW
    const consent: AuthorizeFunction = ({ form }, _req, res) => {
      if (form) return APPROVAL
      res.send('Allow?')
      return undefined
    }
    const on = server({ now: () => clock, authorize: consent, store: memoryStore({ now: () => clock }) })
    const request = object()
    const first = await authorize(on, request)
    expect(first.text).toBe('Allow?')
    const [cookie = ''] = String(first.headers['set-cookie']).split(';')

    clock += 600_000
    expect((await authorize(on, request).set('Cookie', cookie)).text).toBe('Allow?')
    const late = await authorize(on, request)
    expectErrorPage(late)
    expect(late.text).toContain('<code>invalid_request_object</code>')
  })
})

describe('what is wrong inside of a good object is told to the client (§6.3, §7)', () => {
  it.each<[error: string, overrides: Claims]>([
    ['invalid_request_object', { request: 'x.y.z' }],
    ['invalid_request_object', { request_uri: 'https://client.example/request' }],
    ['invalid_request_object', { scope: ['openid'] }],
    ['invalid_request_object', { nonce: ['a', 'b'] }],
    ['invalid_request_object', { prompt: null }],
    ['invalid_request_object', { prompt: true }],
    ['invalid_request_object', { resource: [1] }],
    ['invalid_request', { response_type: undefined }],
    ['unsupported_response_type', { response_type: 'token' }],
    ['invalid_request', { max_age: -1 }],
    ['invalid_request', { max_age: 1.5 }],
    ['invalid_request', { claims: { userinfo: [] } }],
    ['invalid_request', { code_challenge: undefined, code_challenge_method: undefined }],
    ['invalid_scope', { scope: 'admin' }],
    ['invalid_scope', { scope: { a: 1 } }],
  ])('%s: %j', async (error, overrides) => {
    const on = server()
    const request = object(overrides)
    expectToldToClient(await authorize(on, request), error)
    expectRefusal(await on.post('/par', { client_id: 'jar', request }), 400, error)
  })

  it.each([7_000, 20_000])('invalid_request_object: claims of %i levels, never a 500', async (levels) => {
    const deep = `${'['.repeat(levels)}${']'.repeat(levels)}`
    const said = JSON.stringify(claims({ claims: { userinfo: { name: { value: 'deep' } } } }))
    const input = [JSON.stringify(HEADER), said.replace('"deep"', deep)]
      .map((part) => Buffer.from(part).toString('base64url'))
      .join('.')
    const signature = sign('sha256', Buffer.from(input), { key: KEY, dsaEncoding: 'ieee-p1363' })
    const request = `${input}.${signature.toString('base64url')}`

    const on = server()
    const form = { client_id: 'jar', request }
    expectToldToClient(await on.post('/authorize', form), 'invalid_request_object')
    expectRefusal(await on.post('/par', form), 400, 'invalid_request_object')
  })

  it.each<[what: string, redirect_uri: unknown]>([
    ['not registered', 'https://attacker.example/callback'],
    ['missing', undefined],
    ['no string', [CALLBACK]],
  ])('but for a redirect URI that is %s, for which nobody vouches', async (_what, redirect_uri) => {
    const response = await authorize(server(), object({ redirect_uri, request: 'x' }), 'jar', {
      redirect_uri: CALLBACK,
    })
    expectErrorPage(response)
  })
})

describe('by client', () => {
  it('is off where no keys are registered (OIDC Core §6)', async () => {
    const on = server()
    expectToldToClient(await on.authorize({ request: object({ client_id: 'spa' }) }), 'request_not_supported')
    const pushed = await on.post('/par', {
      client_id: 'spa',
      response_type: 'code',
      redirect_uri: CALLBACK,
      request: object({ client_id: 'spa' }),
    })
    expectRefusal(pushed, 400, 'request_not_supported')
  })

  it('is optional where they are', async () => {
    expect(redirected(await server().authorize({ client_id: 'jar' }))).toEqual(SUCCESS)
  })

  it('is a must where it is required, pushed requests included (§10.5)', async () => {
    const on = server()
    const plain = {
      client_id: 'must',
      response_type: 'code',
      redirect_uri: CALLBACK,
      scope: 'openid',
      state: 'a state',
      code_challenge: CHALLENGE,
      code_challenge_method: 'S256',
    }
    expectToldToClient(await on.authorize(plain), 'invalid_request')
    expect(on.eventsOf('request.refused')).toMatchObject([{ reason: 'request_not_signed', clientId: 'must' }])
    expectRefusal(await on.post('/par', plain), 400, 'invalid_request')

    const request = object({ client_id: 'must' })
    expect(redirected(await authorize(on, request, 'must'))).toEqual(SUCCESS)
    const { body } = await on.post('/par', { client_id: 'must', request })
    const query = new URLSearchParams({ client_id: 'must', request_uri: body.request_uri })
    expect(redirected(await on.get(`/oauth/authorize?${query}`))).toEqual(SUCCESS)
  })

  it('becomes a must for requests that were pushed before, too (RFC 9126 §4)', async () => {
    let clients: readonly Client[] = [...CLIENTS, ...SIGNING]
    const on = server({ clients: (id) => clients.find(({ client_id }) => client_id === id) })
    const { iss, aud, iat, nbf, exp, ...plain } = claims()
    const { body } = await on.post('/par', plain as Record<string, string>)
    clients = SIGNING.map((client) => ({ ...client, require_signed_request_object: true }))
    const query = new URLSearchParams({ client_id: 'jar', request_uri: body.request_uri })
    expectToldToClient(await on.get(`/oauth/authorize?${query}`), 'invalid_request')
  })

  it('may be required together with pushing (RFC 9126 §6)', async () => {
    const both = SIGNING.map((client) => ({ ...client, require_pushed_authorization_requests: true }))
    const on = server({ clients: both })
    expectToldToClient(await authorize(on, object()), 'invalid_request')
  })
})

it('the metadata says what is supported (§10.5, OIDC Discovery §3)', async () => {
  const { body } = await server().get('/.well-known/openid-configuration/oauth')
  expect(body).toMatchObject({
    request_parameter_supported: true,
    request_uri_parameter_supported: false,
    request_object_signing_alg_values_supported: [
      'RS256',
      'RS384',
      'RS512',
      'PS256',
      'PS384',
      'PS512',
      'ES256',
      'ES384',
      'ES512',
    ],
  })
  expect(body).not.toHaveProperty('require_signed_request_object')
})
