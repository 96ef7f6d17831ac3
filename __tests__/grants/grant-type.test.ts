import { type GrantContext, type GrantType, memoryStore, OAuthError, type TokenRequest } from '../../lib'
import {
  CLIENTS,
  claimsOf,
  expectRefusal,
  expectUnavailable,
  expectUncached,
  type FixtureOptions,
  fixture,
  ISSUER,
} from '../support/fixture'

const NAME = 'urn:example:api-key'

/** `spa` and `web` may use the grant type of the test's own as well. */
const clients = CLIENTS.map((client) =>
  client.client_id === 'spa' || client.client_id === 'web'
    ? { ...client, grant_types: [...(client.grant_types ?? []), NAME] }
    : client,
)

function serverWith(handle: GrantType['handle'], options: FixtureOptions = {}) {
  const grants = [{ name: NAME, parameters: ['api_key', 'resource'], handle }]
  const server = fixture({ clients, grants, ...options })
  const redeem = (form: Record<string, string> | string = {}) =>
    server.post(
      '/token',
      typeof form === 'string' ? form : { grant_type: NAME, client_id: 'spa', api_key: 'a-key', ...form },
    )
  return { server, redeem }
}

/** What the example in the documentation does. */
const approve =
  (...scope: string[]) =>
  async ({ client, parameters }: TokenRequest, context: GrantContext) => {
    if (parameters.require('api_key') !== 'a-key')
      throw new OAuthError('invalid_grant', 'The API key is not valid.', { reason: 'wrong_api_key' })
    return context.newGrant(client, { subject: 'alice', scope, label: 'CI' })
  }

describe("a grant type of the host's own (RFC 6749 §4.5)", () => {
  it('may use what a grant type needs, and nothing that signs or decodes', async () => {
    let names: string[] = []
    const { redeem } = serverWith(async ({ client }, context) => {
      names = [...Object.keys(context), ...Object.keys(context.store).map((name) => `store.${name}`)]
      return context.newGrant(client, { subject: 'alice' })
    })
    expect((await redeem()).status).toBe(200)
    expect(names).toEqual(['issuer', 'store', 'emit', 'newGrant', 'store.put', 'store.get', 'store.take'])
  })

  it('changes nothing for others by changing the list of values that it was given', async () => {
    const seen: unknown[] = []
    const { redeem } = serverWith(async ({ client, parameters }, context) => {
      const resources = parameters.getAll('resource') as string[]
      seen.push([...resources])
      try {
        resources.push('https://api.example')
      } catch {}
      return context.newGrant(client, { subject: 'alice' })
    })
    for (let i = 0; i < 2; i++) expect((await redeem()).status).toBe(200)
    expect(seen).toEqual([[], []])
  })

  it('may be an instance of a class', async () => {
    class ApiKey implements GrantType {
      readonly #user = 'alice'
      get name() {
        return NAME
      }
      get parameters() {
        return ['api_key']
      }
      async handle({ client }: TokenRequest, context: GrantContext) {
        return context.newGrant(client, { subject: this.#user })
      }
    }
    const server = fixture({ clients, grants: [new ApiKey()] })
    const { status, body } = await server.post('/token', { grant_type: NAME, client_id: 'spa' })

    expect(status).toBe(200)
    expect(claimsOf(body.access_token)).toMatchObject({ sub: 'alice' })
  })

  it('gives tokens by context.newGrant; the refresh token then works like any other', async () => {
    const { server, redeem } = serverWith(approve('profile'))
    const response = await redeem()

    expect(response.status).toBe(200)
    expectUncached(response)
    expect(response.body).toEqual({
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 600,
      scope: 'profile',
      refresh_token: expect.stringMatching(/^[A-Za-z0-9_-]{52}$/),
    })
    expect(claimsOf(response.body.access_token)).toMatchObject({
      iss: ISSUER,
      sub: 'alice',
      client_id: 'spa',
      scope: 'profile',
    })

    const first = response.body.refresh_token
    const { status, body } = await server.refresh(first)
    expect([status, body.scope]).toEqual([200, 'profile'])
    expect((await server.refresh(first)).body.refresh_token).toBe(body.refresh_token)
    expectRefusal(await server.refresh(body.refresh_token, { client_id: 'other' }), 400, 'invalid_grant')
  })

  it.each([
    ['openid: an ID token, and no refresh token (OIDC Core §11)', ['openid'], false, true],
    ['openid and offline_access: both', ['openid', 'offline_access'], true, true],
    ['plain OAuth: a refresh token', ['profile'], true, false],
  ])('follows the same rules: %s', async (_case, scope, refreshes, identifies) => {
    const { redeem } = serverWith(approve(...scope))
    const { body } = await redeem()

    expect(['refresh_token' in body, 'id_token' in body]).toEqual([refreshes, identifies])
    if (identifies) expect(claimsOf(body.id_token)).not.toHaveProperty('nonce')
  })

  it('gives no refresh token where the host says so', async () => {
    const { server, redeem } = serverWith(async ({ client }, context) =>
      context.newGrant(client, { subject: 'alice', scope: ['profile'], refreshToken: false }),
    )
    const { body } = await redeem()

    expect(body).toEqual({
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 600,
      scope: 'profile',
    })
    expect((await server.oauth.grants.list('alice')).grants).toHaveLength(1)
  })

  it('gives no access token that outlives the grant', async () => {
    const { redeem } = serverWith(approve('profile'), { lifetimes: { refreshAbsoluteSeconds: 100 } })

    expect((await redeem()).body.expires_in).toBe(100)
  })

  it.each([['two words'], ['"quoted"'], ['']])(
    'cannot grant what is no scope word, %p (RFC 6749 §3.3): that is told to the operator, and nothing is kept',
    async (word) => {
      const { server, redeem } = serverWith(approve(word))

      expectRefusal(await redeem(), 500, 'server_error')
      expect(server.eventsOf('request.refused')).toMatchObject([{ cause: { name: 'ConfigError' } }])
      expect((await server.oauth.grants.list('alice')).grants).toEqual([])
    },
  )

  it('its grants are listed, and end like any other', async () => {
    const { server, redeem } = serverWith(approve('profile'))
    const { body } = await redeem()
    const { grants } = await server.oauth.grants.list('alice')

    expect(grants).toMatchObject([{ clientId: 'spa', scope: ['profile'], label: 'CI' }])
    expect(await server.oauth.grants.revoke('alice', grants[0]?.id ?? '')).toBe(true)
    expectRefusal(await server.refresh(body.refresh_token), 400, 'invalid_grant')
  })

  it('its grants began without a code, and no code of theirs is ever good', async () => {
    const { server, redeem } = serverWith(approve('profile'))
    const { body } = await redeem()

    expectRefusal(await server.exchange(body.refresh_token), 400, 'invalid_grant')
  })

  it('sees the parameters that it lists and no others, each once (RFC 6749 §3.2)', async () => {
    const seen: unknown[] = []
    const { redeem } = serverWith(async ({ client, parameters, headers }, context) => {
      seen.push(
        parameters.get('api_key'),
        parameters.getAll('resource'),
        parameters.get('client_secret'),
        parameters.get('grant_type'),
        parameters.get('unlisted'),
        parameters.get('__proto__'),
        client.client_id,
        headers['x-of-the-client'],
      )
      return context.newGrant(client, { subject: 'alice' })
    })
    const form = `grant_type=${NAME}&client_id=spa&api_key=a&unlisted=b&resource=https://a.example&resource=https://b.example`

    expect((await redeem(form).set('X-Of-The-Client', '1')).status).toBe(200)
    expect(seen).toEqual([
      'a',
      ['https://a.example', 'https://b.example'],
      undefined,
      undefined,
      undefined,
      undefined,
      'spa',
      '1',
    ])
    expectRefusal(await redeem(`${form}&api_key=b`), 400, 'invalid_request')
  })

  it.each([
    ['an OAuthError is answered as it is', { api_key: 'another' }, 400, 'invalid_grant'],
    ['a missing parameter is invalid_request', { api_key: '' }, 400, 'invalid_request'],
  ])('%s (RFC 6749 §5.2)', async (_what, form, status, error) => {
    const { server, redeem } = serverWith(approve('profile'))

    expectRefusal(await redeem(form), status, error)
    expect((await server.oauth.grants.list('alice')).grants).toEqual([])
  })

  it('tells the reason of its refusal to the operator alone', async () => {
    const { server, redeem } = serverWith(approve('profile'))
    const response = await redeem({ api_key: 'another' })

    expect(response.body).toEqual({ error: 'invalid_grant', error_description: 'The API key is not valid.' })
    expect(server.eventsOf('request.refused')).toMatchObject([
      { reason: 'wrong_api_key', clientId: 'spa', error: 'invalid_grant', status: 400 },
    ])
  })

  it('sends only the characters that a description may have (RFC 6749 §5.2)', async () => {
    const { redeem } = serverWith(async () => {
      throw new OAuthError('invalid_grant', 'Not "good"\r\nSet-Cookie: a\\b é')
    })
    const response = await redeem()

    expectRefusal(response, 400, 'invalid_grant')
    expect(response.body.error_description).toBe('Not goodSet-Cookie: ab ')
  })

  it('any other error is 500 and says nothing of itself', async () => {
    const { server, redeem } = serverWith(async () => {
      throw new Error('SELECT * FROM secrets')
    })
    const response = await redeem()

    expectRefusal(response, 500, 'server_error')
    expect(response.text).not.toContain('SELECT')
    expect(server.eventsOf('request.refused')).toMatchObject([{ cause: new Error('SELECT * FROM secrets') }])
  })

  it('is for the clients that registered it (RFC 6749 §5.2)', async () => {
    const { redeem } = serverWith(approve('profile'))

    expectRefusal(await redeem({ client_id: 'other' }), 400, 'unauthorized_client')
  })

  it('does not get past findAccount: nothing is kept of what it refuses', async () => {
    const { server, redeem } = serverWith(approve('profile'), { findAccount: () => undefined })

    expectRefusal(await redeem(), 400, 'invalid_grant')
    expect((await server.oauth.grants.list('alice')).grants).toEqual([])
  })

  it('does not get past notBefore where the host says when the user signed in', async () => {
    const { redeem } = serverWith(
      async ({ client }, context) =>
        context.newGrant(client, { subject: 'alice', authTime: new Date('2025-01-01') }),
      { findAccount: () => ({ notBefore: new Date('2026-01-01') }) },
    )

    expectRefusal(await redeem(), 400, 'invalid_grant')
  })

  it('is 503 while the store cannot keep the grant, and works when it is back', async () => {
    let down = true
    const store = memoryStore()
    const { server, redeem } = serverWith(approve('profile'), {
      store: {
        ...store,
        insert: async (grant) => {
          if (down) throw new Error('connection lost')
          return store.insert(grant)
        },
      },
    })

    expectUnavailable(await redeem())
    expect(server.eventsOf('store.trouble')).toMatchObject([{ operation: 'insert' }])
    expect(server.eventsOf('tokens.issued')).toEqual([])
    down = false
    expect((await redeem()).status).toBe(200)
  })

  it('is told of in an event like any other', async () => {
    const { server, redeem } = serverWith(approve('profile'))
    await redeem()

    expect(server.events).toEqual([
      {
        type: 'tokens.issued',
        grantType: NAME,
        grant: expect.any(String),
        clientId: 'spa',
        subject: 'alice',
        scope: ['profile'],
        idToken: false,
        refreshToken: true,
      },
    ])
  })

  it('may look after its own commit, and is asked again where somebody else was faster', async () => {
    let asked = 0
    const { redeem } = serverWith(async ({ client }, context) => {
      const issuance = context.newGrant(client, { subject: 'alice' })
      return { ...issuance, commit: async () => ++asked === 2 && issuance.commit() }
    })

    expect((await redeem()).status).toBe(200)
    expect(asked).toBe(2)
  })
})

describe('a grant type that is not there', () => {
  it.each([
    'password',
    'client_credentials',
    'urn:ietf:params:oauth:grant-type:jwt-bearer',
    '__proto__',
    'Refresh_Token',
  ])('%s is unsupported_grant_type (RFC 6749 §5.2)', async (name) => {
    expectRefusal(
      await fixture().post('/token', { grant_type: name, client_id: 'spa' }),
      400,
      'unsupported_grant_type',
    )
  })
})
