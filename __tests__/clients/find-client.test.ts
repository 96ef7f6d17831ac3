import type { Client } from '../../lib'
import { CLIENTS, expectRefusal, fixture } from '../support/fixture'

const web = CLIENTS.find(({ client_id }) => client_id === 'web') as Client

describe('a function that finds clients', () => {
  it.each([
    ['at once', (id: string) => CLIENTS.find(({ client_id }) => client_id === id)],
    ['later', async (id: string) => CLIENTS.find(({ client_id }) => client_id === id)],
  ])('may answer %s', async (_, clients) => {
    const server = fixture({ clients })
    const { refresh_token } = await server.tokens()
    expect((await server.refresh(refresh_token)).status).toBe(200)
    expectRefusal(await server.post('/token', 'client_id=nobody'), 401, 'invalid_client')
  })

  it.each([undefined, null, false, 0, ''])('knows no such client when it answers %p', async (nothing) => {
    const server = fixture({ clients: () => nothing as undefined })
    expectRefusal(await server.post('/token', 'client_id=spa'), 401, 'invalid_client')
    expect((await server.authorize()).status).toBe(400)
  })

  it('may hand out rows of a table, with null where there is nothing', async () => {
    const row = { ...web, scope: null, application_type: null, client_name: null } as unknown as Client
    const server = fixture({ clients: () => row })
    expect((await server.tokens({ client_id: 'web' })).token_type).toBe('Bearer')
  })

  it.each([
    ['rejects', () => Promise.reject(new Error('The table is locked.'))],
    [
      'throws',
      () => {
        throw new Error('The table is locked.')
      },
    ],
  ])('that %s is trouble of ours, never of the client (RFC 6749 §5.2)', async (_, clients) => {
    const server = fixture({ clients })
    const response = await server.post('/token', '').auth('web', 'web-secret')
    expectRefusal(response, 503, 'temporarily_unavailable')
    expect(response.headers['retry-after']).toBe('1')
    expect(response.headers).not.toHaveProperty('www-authenticate')
    expect(server.eventsOf('host.trouble')).toEqual([
      { type: 'host.trouble', operation: 'clients', cause: new Error('The table is locked.') },
    ])
  })

  it.each([
    ['a secret in place of its hash', { client_secret_hash: 'web-secret' }],
    ['no secret', { client_secret_hash: undefined }],
    ['an empty list of secrets', { client_secret_hash: [] }],
    ['a secret for a public client', { token_endpoint_auth_method: 'none' }],
    ['a method that is not known', { token_endpoint_auth_method: 'private_key_jwt' }],
    ['grant types that are no list', { grant_types: 'authorization_code' }],
    ['a grant type that is not known', { grant_types: ['authorization_code', 'password'] }],
    ['no redirect URIs, for a client that takes codes', { redirect_uris: null }],
    ['a secret besides its hash', { client_secret: 'web-secret' }],
    ['redirect URIs that are no list', { redirect_uris: 'https://client.example/callback' }],
    ['a redirect URI that is none', { redirect_uris: ['/callback'] }],
    ['a scope that is no string', { scope: ['openid'] }],
  ])('is told when it hands out %s, and nobody gets in by it', async (_, fault) => {
    const server = fixture({ clients: () => ({ ...web, ...fault }) as unknown as Client })
    for (const secret of ['web-secret', '', 'x']) {
      const response = await server.post('/introspect', 'token=x').auth('web', secret)
      expectRefusal(response, 503, 'temporarily_unavailable')
    }
    const { cause } = server.eventsOf('host.trouble')[0] as { cause: unknown }
    expect(cause).toMatchObject({ name: 'ConfigError', option: expect.stringMatching(/^clients\("web"\)\./) })
    expect(String(cause)).not.toContain('web-secret')
  })

  it('may hand out a client without redirect URIs, where nothing authorizes', async () => {
    const server = fixture({ authorize: undefined, clients: () => ({ ...web, redirect_uris: undefined }) })
    expect((await server.post('/introspect', 'token=x').auth('web', 'web-secret')).status).toBe(200)
  })

  it.each([
    ['a zero', '%00'],
    ['a line end', 'spa%0Ax'],
    ['a letter of another alphabet', 'sp%C3%A4'],
    ['bytes that are no UTF-8', '%FF'],
    ['256 characters', 'x'.repeat(256)],
  ])('is never asked for what is no client_id: %s (RFC 6749 App. A.1)', async (_, id) => {
    const asked: string[] = []
    const server = fixture({ clients: (clientId) => void asked.push(clientId) })
    expectRefusal(await server.post('/token', `client_id=${id}`), 401, 'invalid_client')
    const basic = Buffer.from(`${id}:x`).toString('base64')
    const response = await server.post('/token', '').set('Authorization', `Basic ${basic}`)
    expectRefusal(response, 401, 'invalid_client')
    expect((await server.get(`/oauth/authorize?client_id=${id}`)).status).toBe(400)
    expect(asked).toEqual([])
  })

  it('is asked for all 255 characters that an id may have (RFC 6749 App. A.1)', async () => {
    const asked: string[] = []
    const id = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i))
      .join('')
      .padEnd(255, 'x')
    const server = fixture({ clients: (clientId) => void asked.push(clientId) })
    await server.post('/token', { client_id: id })
    expect(asked).toEqual([id])
  })

  it('may change its mind: what a client may do is asked at each request', async () => {
    let client: Client | undefined = web
    const server = fixture({ clients: () => client })
    const { refresh_token } = await server.tokens({ client_id: 'web' })
    const refresh = () =>
      server.post('/token', { grant_type: 'refresh_token', refresh_token }).auth('web', 'web-secret')
    expect((await refresh()).status).toBe(200)
    client = { ...web, grant_types: ['authorization_code'] }
    expectRefusal(await refresh(), 400, 'unauthorized_client')
    client = undefined
    expectRefusal(await refresh(), 401, 'invalid_client')
  })
})
