// Resource indicators (RFC 8707): a client says for which APIs its tokens shall be.
import request from 'supertest'
import { type AccountContext, type Client, type GrantType, memoryStore } from '../../lib'
import {
  APPROVAL,
  CALLBACK,
  CHALLENGE,
  claimsOf,
  expectRefusal,
  expectToldToClient,
  expectUnavailable,
  type Fixture,
  type FixtureOptions,
  fixture,
  ISSUER,
  readRequest,
  redirected,
  VERIFIER,
  watched,
} from '../support/fixture'

const MAIN = 'https://app.example.com/api'
const FILES = 'https://files.example.com/'
const MAIL = 'https://mail.example.com/v1?tenant=7'
const URN = 'urn:example:printer'

function server(options: FixtureOptions = {}): Fixture {
  return fixture({ audience: MAIN, resources: [FILES, MAIL, URN], ...options })
}

/** A parameter that is repeated (§2). */
const all = (resources: readonly string[]) => resources.map((one): [string, string] => ['resource', one])

function authorize({ app }: Fixture, resources: readonly string[]) {
  const query = new URLSearchParams([
    ...Object.entries({
      response_type: 'code',
      client_id: 'spa',
      redirect_uri: CALLBACK,
      scope: 'openid offline_access',
      state: 'a state',
      code_challenge: CHALLENGE,
      code_challenge_method: 'S256',
    }),
    ...all(resources),
  ])
  return request(app).get(`/oauth/authorize?${query}`)
}

async function codeFor(asked: Fixture, resources: readonly string[]): Promise<string> {
  return redirected(await authorize(asked, resources)).code as string
}

function exchange(asked: Fixture, code: string, resources: readonly string[] = []) {
  const form = Object.entries({
    grant_type: 'authorization_code',
    client_id: 'spa',
    code,
    redirect_uri: CALLBACK,
    code_verifier: VERIFIER,
  })
  return asked.post('/token', new URLSearchParams([...form, ...all(resources)]).toString())
}

function refresh(asked: Fixture, token: string, resources: readonly string[] = [], scope?: string) {
  const form = Object.entries({
    grant_type: 'refresh_token',
    client_id: 'spa',
    refresh_token: token,
    ...(scope !== undefined && { scope }),
  })
  return asked.post('/token', new URLSearchParams([...form, ...all(resources)]).toString())
}

const audienceOf = (body: { access_token: string }) => claimsOf(body.access_token).aud

describe('an authorization request (§2.1)', () => {
  it.each([
    ['none: the option audience', [], MAIN],
    ['the option audience', [MAIN], MAIN],
    ['another API', [FILES], FILES],
    ['one with a query', [MAIL], MAIL],
    ['one that is no URL but a URI', [URN], URN],
    ['several', [MAIL, MAIN, FILES], [MAIL, MAIN, FILES]],
    ['one twice', [FILES, FILES], FILES],
    ['one in two spellings', ['https://files.example.com', FILES], FILES],
    [
      'one as a URL parser would respell it: aud has the spelling of the host',
      ['HTTPS://FILES.example.com:443'],
      FILES,
    ],
    ['one without a value, which is none (RFC 6749 §3.1)', [''], MAIN],
  ])('may name %s', async (_what, resources, aud) => {
    const asked = server()
    const { status, body } = await exchange(asked, await codeFor(asked, resources))

    expect(status).toBe(200)
    expect(audienceOf(body)).toEqual(aud)
  })

  it.each([
    ['one that nobody knows', ['https://evil.example']],
    ['a path below a known one', [`${MAIN}/v2`]],
    ['a known one with a slash behind its path', [`${MAIN}/`]],
    ['a known one without its query', ['https://mail.example.com/v1']],
    ['a known one by http', ['http://files.example.com/']],
    ['the issuer, where that is not the audience', [ISSUER]],
    ['a known one beside an unknown one', [FILES, 'https://evil.example']],
    ['far too many', Array.from({ length: 21 }, () => FILES)],
  ])('may not name %s: invalid_target, told to the client (§2)', async (_what, resources) => {
    expectToldToClient(await authorize(server(), resources), 'invalid_target')
  })

  it.each([
    ['one with a fragment', [`${FILES}#x`]],
    ['one with an empty fragment', [`${FILES}#`]],
    ['one that is not absolute', ['/api']],
    ['no URI', ['files']],
    ['one with a space', ['https://files.example.com/ ']],
  ])('may not name %s, whatever the host allows (§2)', async (_what, resources) => {
    for (const allowed of [resources.map(() => FILES), () => true])
      expectToldToClient(await authorize(server({ resources: allowed }), resources), 'invalid_target')
  })

  it('tells the host which, and the host may allow a part', async () => {
    const seen: unknown[] = []
    const asked = server({
      authorize: ({ resources }) => {
        seen.push(resources)
        return { ...APPROVAL, resources: [FILES] }
      },
    })
    const { body } = await exchange(asked, await codeFor(asked, [MAIL, 'https://files.example.com']))

    expect(seen).toEqual([[MAIL, FILES]])
    expect(audienceOf(body)).toBe(FILES)
  })

  it.each([
    ['more than was asked for', [FILES, MAIN], 'wider_approval'],
    ['nothing of it', [], 'bad_approval'],
    ['something else than URIs', ['files'], 'bad_approval'],
  ])('is not approved with %s', async (_what, resources, code) => {
    const { oauth } = server()
    const query = { response_type: 'code', client_id: 'spa', redirect_uri: CALLBACK, resource: FILES }
    const pkce = { code_challenge: CHALLENGE, code_challenge_method: 'S256' }
    const asked = await readRequest(oauth, new URLSearchParams({ ...query, ...pkce }))
    await expect(oauth.issueCode(asked, { ...APPROVAL, resources })).rejects.toMatchObject({
      code,
      option: 'approval.resources',
    })
  })
})

describe('a function of the host that decides', () => {
  it('is asked for what the list does not have, with the client, and its yes keeps the spelling', async () => {
    const questions: [string, Client][] = []
    const asked = server({
      resources: async (...question) => {
        questions.push(question)
        return question[0].startsWith('https://tenant-')
      },
    })
    const { body } = await exchange(asked, await codeFor(asked, [MAIN, 'https://tenant-7.example.com']))

    expect(questions).toEqual([
      ['https://tenant-7.example.com', expect.objectContaining({ client_id: 'spa' })],
    ])
    expect(audienceOf(body)).toEqual([MAIN, 'https://tenant-7.example.com'])
    expectToldToClient(await authorize(asked, ['https://evil.example']), 'invalid_target')
  })

  it('lets nothing in by a truthy answer that is not true', async () => {
    const asked = server({ resources: () => 'no' as unknown as boolean })
    expectToldToClient(await authorize(asked, [FILES]), 'invalid_target')
  })

  it('that throws is trouble of ours, and no fault of the client', async () => {
    const asked = server({
      resources: () => {
        throw new Error('no database')
      },
    })
    expectToldToClient(await authorize(asked, [FILES]), 'temporarily_unavailable')
    expect(asked.eventsOf('host.trouble')).toMatchObject([{ operation: 'resources' }])
    expect(asked.eventsOf('request.refused')).toMatchObject([{ error: 'temporarily_unavailable' }])
  })
})

describe('a token request (§2.2)', () => {
  it('gets all that was granted, or the part that it names, in any spelling', async () => {
    const asked = server()
    const code = await codeFor(asked, [FILES, MAIL])
    const first = (await exchange(asked, code, ['https://files.example.com'])).body
    const second = (await refresh(asked, first.refresh_token)).body
    const third = (await refresh(asked, second.refresh_token, [MAIL])).body
    const fourth = (await refresh(asked, third.refresh_token, [MAIL, FILES])).body

    expect([first, second, third, fourth].map(audienceOf)).toEqual([
      FILES,
      [FILES, MAIL],
      MAIL,
      [FILES, MAIL],
    ])
  })

  it.each([
    ['outside the grant', [FILES, MAIL], [MAIN]],
    ['partly outside the grant', [FILES], [FILES, MAIL]],
    ['nobody knows', [FILES], ['https://evil.example']],
    ['with a fragment', [FILES], [`${FILES}#x`]],
    ['that is no URI', [FILES], ['files']],
    ['but the audience, where the request named none', [], [FILES]],
    ['2,800 times', [FILES], Array(2800).fill('a:b')],
    ['that was granted, 21 times', [FILES], Array(21).fill(FILES)],
  ])('for a resource %s: 400 invalid_target, and nothing changes', async (_what, granted, resources) => {
    const calls: string[] = []
    const asked = server({ store: watched(memoryStore(), calls), overlap: 0 })
    const code = await codeFor(asked, granted)
    const { refresh_token } = (await exchange(asked, await codeFor(asked, granted))).body
    calls.length = 0

    expectRefusal(await exchange(asked, code, resources), 400, 'invalid_target')
    expectRefusal(await refresh(asked, refresh_token, resources), 400, 'invalid_target')
    expect(calls).toEqual(['find', 'find'])
    expect((await exchange(asked, code)).status).toBe(200)
    expect((await refresh(asked, refresh_token)).status).toBe(200)
  })

  it('may name the audience where the authorization request named nothing', async () => {
    const asked = server()
    const { body } = await exchange(asked, await codeFor(asked, []), [MAIN])

    expect(audienceOf(body)).toBe(MAIN)
  })

  it('may not name an audience that is no URI', async () => {
    const asked = server({ audience: 'my-api' })
    const { body } = await exchange(asked, await codeFor(asked, []))

    expect(audienceOf(body)).toBe('my-api')
    expectRefusal(await refresh(asked, body.refresh_token, ['my-api']), 400, 'invalid_target')
  })

  it('is checked after scope and before findAccount; a replay is seen first', async () => {
    const asked: AccountContext[] = []
    const host = server({
      overlap: 0,
      findAccount: (_subject, context) => {
        asked.push(context)
        return {}
      },
    })
    const { refresh_token } = (await exchange(host, await codeFor(host, [FILES]))).body
    asked.length = 0

    expectRefusal(await refresh(host, refresh_token, [MAIL], 'admin'), 400, 'invalid_scope')
    expectRefusal(await refresh(host, refresh_token, [MAIL]), 400, 'invalid_target')
    expect(asked).toEqual([])
    await refresh(host, refresh_token)
    expectRefusal(await refresh(host, refresh_token, [MAIL]), 400, 'invalid_grant')
  })

  it("of a grant type of the host's own is for what the host says", async () => {
    const apiKey: GrantType = {
      name: 'urn:example:api-key',
      parameters: [],
      handle: async ({ client }, context) =>
        context.newGrant(client, { subject: 'alice', resources: [FILES, MAIL] }),
    }
    const grant_types = [apiKey.name, 'refresh_token']
    const clients = [{ client_id: 'spa', token_endpoint_auth_method: 'none', grant_types }]
    const asked = server({ grants: [apiKey], clients })
    const { body } = await asked.post('/token', { client_id: 'spa', grant_type: apiKey.name })

    expect(audienceOf(body)).toEqual([FILES, MAIL])
    expect(audienceOf((await refresh(asked, body.refresh_token, [MAIL])).body)).toBe(MAIL)
  })
})

describe('an access token for one API', () => {
  async function forFiles(options?: FixtureOptions) {
    const asked = server(options)
    const { body } = await exchange(asked, await codeFor(asked, [FILES, MAIN]), [FILES])
    return { ...asked, token: body.access_token as string }
  }

  it('is good there, and at no other', async () => {
    const { app, oauth, token } = await forFiles()
    for (const [path, audience] of Object.entries({ '/files': FILES, '/mail': MAIL, '/main': MAIN })) {
      app.get(path, oauth.requireAccessToken({ audience }), (_req, res) => {
        res.end()
      })
    }
    const statuses = ['/files', '/mail', '/main'].map(
      async (path) => (await request(app).get(path).set('Authorization', `Bearer ${token}`)).status,
    )
    expect(await Promise.all(statuses)).toEqual([200, 401, 401])
  })

  it('shows nothing of the user at the userinfo endpoint, which is not that API', async () => {
    const { app, token } = await forFiles()
    const { status, body } = await request(app).get('/oauth/userinfo').set('Authorization', `Bearer ${token}`)

    expect([status, body.error]).toEqual([401, 'invalid_token'])
  })

  it('says in introspection for which (§2.2, RFC 7662 §2.2), to that API', async () => {
    const clients = [
      { client_id: 'spa', token_endpoint_auth_method: 'none', redirect_uris: [CALLBACK] },
      ...[FILES, MAIL].map((client_id) => ({
        client_id,
        token_endpoint_auth_method: 'api',
        grant_types: [],
      })),
    ]
    const clientAuthMethods = [
      {
        name: 'api',
        find: ({ parameters }: { parameters: { get(name: string): string | undefined } }) =>
          parameters.get('api') ? { clientId: parameters.get('api') as string, credentials: {} } : undefined,
        verify: () => true,
      },
    ]
    const { post, token } = await forFiles({ clients, clientAuthMethods: clientAuthMethods as never })

    expect((await post('/introspect', { api: FILES, token })).body).toMatchObject({
      active: true,
      aud: FILES,
      sub: 'alice',
    })
    expect((await post('/introspect', { api: MAIL, token })).body).toEqual({ active: false })
  })
})

it('keeps what was granted when the store is damaged: no token for more (§3)', async () => {
  const store = memoryStore()
  let damage: unknown
  const asked = server({
    store: {
      ...store,
      async find(key) {
        const stored = await store.find(key)
        if (!stored || damage === undefined) return stored
        return { ...stored, data: JSON.stringify({ ...JSON.parse(stored.data), a: damage }) }
      },
    },
  })
  const { refresh_token } = (await exchange(asked, await codeFor(asked, [FILES]))).body

  for (damage of [MAIL, null, [1], { 0: MAIL }]) expectUnavailable(await refresh(asked, refresh_token))
})
