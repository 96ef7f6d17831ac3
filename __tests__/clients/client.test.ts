import { type Client, hashClientSecret } from '../../lib'
import { CALLBACK, CLIENTS, expectRefusal, fixture } from '../support/fixture'

describe('a client record', () => {
  it('means Basic and the code flow alone where it says no more (RFC 7591 §2)', async () => {
    const server = fixture({
      clients: [
        { client_id: 'web', client_secret_hash: hashClientSecret('web-secret'), redirect_uris: [CALLBACK] },
      ],
    })
    const tokens = await server.tokens({ client_id: 'web' })
    expect(Object.keys(tokens)).not.toContain('refresh_token')
    const refreshed = await server
      .post('/token', 'grant_type=refresh_token&refresh_token=x')
      .auth('web', 'web-secret')
    expectRefusal(refreshed, 400, 'unauthorized_client')
    const post = await server.post('/token', 'grant_type=x&client_id=web&client_secret=web-secret')
    expectRefusal(post, 401, 'invalid_client')
  })

  it('may hold more than the library knows, which the host sees unchanged (RFC 7591 §2)', async () => {
    const seen: unknown[] = []
    const server = fixture({
      clients: CLIENTS.map((client) => ({ ...client, 'x-tenant': 7 })),
      findAccount: (_subject, { client }) => {
        seen.push(client['x-tenant'])
        return {}
      },
    })
    await server.tokens()
    expect(seen).toEqual([7])
  })
})

describe('the redirect URIs of a client', () => {
  const native = (redirect_uri: string): Client => ({
    client_id: 'spa',
    token_endpoint_auth_method: 'none',
    application_type: 'native',
    redirect_uris: [redirect_uri],
  })

  it.each([
    ['http://127.0.0.1/cb', 'http://127.0.0.1:51004/cb'],
    ['http://127.0.0.1:1/cb', 'http://127.0.0.1:2/cb'],
    ['http://127.0.0.1:1/cb', 'http://127.0.0.1/cb'],
    ['http://[::1]/cb?x=1', 'http://[::1]:51004/cb?x=1'],
    ['http://localhost', 'http://localhost:51004'],
    ['com.example.app:/cb', 'com.example.app:/cb'],
  ])(
    'let a native app listen at any port of loopback: %s, asked for %s (RFC 8252 §7.3)',
    async (registered, asked) => {
      const server = fixture({ clients: [native(registered)] })
      const response = await server.authorize({ redirect_uri: asked })
      expect(response.status).toBe(303)
      const [before] = (response.headers.location as string).split(/.code=/)
      expect(before).toBe(asked)
    },
  )

  it.each([
    ['another path', 'http://127.0.0.1/cb', 'http://127.0.0.1:2/other'],
    ['a path below', 'http://127.0.0.1/cb', 'http://127.0.0.1:2/cb/x'],
    ['a slash more', 'http://127.0.0.1/cb', 'http://127.0.0.1:2/cb/'],
    ['a query more', 'http://127.0.0.1/cb', 'http://127.0.0.1:2/cb?x'],
    ['another loopback host', 'http://127.0.0.1/cb', 'http://localhost:2/cb'],
    ['https', 'http://127.0.0.1/cb', 'https://127.0.0.1:2/cb'],
    ['a user', 'http://127.0.0.1/cb', 'http://127.0.0.1:2@evil.example/cb'],
    ['a host that begins alike', 'http://127.0.0.1/cb', 'http://127.0.0.1.evil.example/cb'],
    ['a host that begins alike, of a name', 'http://localhost/cb', 'http://localhost.evil.example:2/cb'],
    ['a port that is no number', 'http://127.0.0.1/cb', 'http://127.0.0.1:x/cb'],
    ['a backslash', 'http://127.0.0.1/cb', 'http://127.0.0.1:2\\@evil.example/cb'],
    ['dots', 'http://127.0.0.1/cb', 'http://127.0.0.1:2/x/../cb'],
    ['another port of a host that is not loopback', 'https://app.example/cb', 'https://app.example:2/cb'],
    ['another case of its own scheme', 'com.example.app:/cb', 'COM.example.app:/cb'],
  ])('do not let it be %s (RFC 8252 §7.3, RFC 9700 §2.1)', async (_, registered, asked) => {
    const server = fixture({ clients: [native(registered)] })
    const response = await server.authorize({ redirect_uri: asked })
    expect([response.status, response.headers.location]).toEqual([400, undefined])
  })

  it('do not let the port vary for a web app (RFC 9700 §2.1)', async () => {
    const server = fixture({ clients: [{ ...native('http://127.0.0.1:1/cb'), application_type: 'web' }] })
    const response = await server.authorize({ redirect_uri: 'http://127.0.0.1:2/cb' })
    expect([response.status, response.headers.location]).toEqual([400, undefined])
  })
})
