import request, { type Response } from 'supertest'
import { memoryStore } from '../../lib'
import { expectRefusal, type Fixture, fixture } from '../support/fixture'

const SPA = 'https://spa.example'

/** The headers by which a browser decides what a script may see. */
function corsOf({ headers }: Response): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers as Record<string, string>).filter(
      ([name]) => name.startsWith('access-control-') || name === 'vary',
    ),
  )
}

function preflight(server: Fixture, path: string, origin = SPA) {
  return request(server.app).options(path).set({
    Origin: origin,
    'Access-Control-Request-Method': 'POST',
    'Access-Control-Request-Headers': 'authorization, content-type, dpop',
  })
}

const OPEN = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'WWW-Authenticate, DPoP-Nonce, Retry-After',
}

describe('a script of another origin', () => {
  it('may read tokens, and never sends cookies for them (RFC 9700 §2.6)', async () => {
    const server = fixture()
    const response = await server.exchange(await server.code()).set('Origin', SPA)
    expect(response.status).toBe(200)
    expect(corsOf(response)).toEqual(OPEN)
  })

  it.each([
    ['200', '/revoke', 'client_id=spa&token=x', 200],
    ['400', '/token', 'client_id=spa', 400],
    ['401', '/token', 'client_id=nobody', 401],
    ['413', '/token', 'x'.repeat(70_000), 413],
  ])('may read an answer of status %s, error or not (RFC 9700 §2.6)', async (_, path, form, status) => {
    const response = await fixture().post(path, form).set('Origin', SPA)
    expect(response.status).toBe(status)
    expect(corsOf(response)).toEqual(OPEN)
  })

  it('may read the answers to a wrong method, to too many failures and to a fault of ours', async () => {
    const server = fixture({
      rateLimit: { failuresPerAddress: 1 },
      store: { ...memoryStore(), find: () => Promise.reject(new Error('down')) },
    })
    const wrongMethod = await server.get('/oauth/token').set('Origin', SPA)
    const fault = await server.exchange(await server.code()).set('Origin', SPA)
    await server.post('/token', '')
    const limited = await server.post('/token', '').set('Origin', SPA)
    expect([wrongMethod.status, fault.status, limited.status]).toEqual([405, 503, 429])
    for (const response of [wrongMethod, fault, limited]) expect(corsOf(response)).toEqual(OPEN)
  })

  it.each([
    '/oauth/token',
    '/oauth/revoke',
    '/oauth/jwks',
    '/oauth/.well-known/openid-configuration',
    '/.well-known/openid-configuration/oauth',
    '/.well-known/oauth-authorization-server/oauth',
  ])('gets its preflight of %s answered (Fetch, CORS-preflight fetch)', async (path) => {
    const response = await preflight(fixture(), path)
    expect(response.status).toBe(204)
    expect(response.text).toBe('')
    expect(corsOf(response)).toEqual({
      ...OPEN,
      'access-control-allow-methods': /token|revoke/.test(path) ? 'POST, OPTIONS' : 'GET, HEAD, OPTIONS',
      'access-control-allow-headers': 'Authorization, Content-Type, DPoP',
      'access-control-max-age': '86400',
    })
  })

  it('gets its preflight answered where its address has failed too often, and it costs nothing', async () => {
    const server = fixture({ rateLimit: { failuresPerAddress: 1 } })
    for (let i = 0; i < 3; i++) expect((await preflight(server, '/oauth/token')).status).toBe(204)
    expectRefusal(await server.post('/token', ''), 401, 'invalid_client')
    expect((await preflight(server, '/oauth/token')).status).toBe(204)
  })

  it.each(['/oauth/authorize', '/oauth/introspect'])(
    'has no business at %s (RFC 9700 §2.6)',
    async (path) => {
      const server = fixture()
      const asked = await preflight(server, path)
      expect(asked.status).toBe(405)
      expect(asked.headers.allow).toBe(path.endsWith('authorize') ? 'GET, POST' : 'POST')
      const answered = await request(server.app).post(path).type('form').set('Origin', SPA)
      for (const response of [asked, answered]) expect(corsOf(response)).toEqual({})
    },
  )
})

describe('a list of origins', () => {
  const cors = [SPA, 'https://other.example:8443']
  const expose = { 'access-control-expose-headers': OPEN['access-control-expose-headers'] }

  it.each(cors)('lets %s in by its own name (Fetch, HTTP responses)', async (origin) => {
    const server = fixture({ cors })
    const response = await server.post('/token', 'client_id=spa').set('Origin', origin)
    expect(corsOf(response)).toEqual({ 'access-control-allow-origin': origin, vary: 'Origin', ...expose })
    expect((await preflight(server, '/oauth/token', origin)).headers['access-control-allow-origin']).toBe(
      origin,
    )
  })

  it.each([
    'https://spa.example.evil.example',
    'https://evil-spa.example',
    'https://SPA.example',
    'https://spa.example:444',
    'http://spa.example',
    'https://other.example',
    'null',
    '*',
    '',
  ])('keeps "%s" out (RFC 6454 §4)', async (origin) => {
    const server = fixture({ cors })
    const response = await server.post('/token', 'client_id=spa').set('Origin', origin)
    expect(corsOf(response)).toEqual({ vary: 'Origin' })
    const asked = await preflight(server, '/oauth/token', origin)
    expect(asked.headers).not.toHaveProperty('access-control-allow-origin')
  })

  it('tells caches that the answer varies, also when no origin is named (Fetch, CORS protocol and HTTP caches)', async () => {
    const server = fixture({
      cors,
      before: (app) => app.use((_req, res, next) => next(res.vary('Accept') && undefined)),
    })
    expect((await server.get('/oauth/jwks')).headers.vary).toBe('Accept, Origin')
  })
})

it('lets no origin in with cors: false', async () => {
  const server = fixture({ cors: false })
  const responses = [
    await server.post('/token', 'client_id=spa').set('Origin', SPA),
    await server.get('/oauth/jwks').set('Origin', SPA),
    await preflight(server, '/oauth/token'),
  ]
  expect(responses.map(({ status }) => status)).toEqual([400, 200, 204])
  for (const { headers } of responses) expect(headers).not.toHaveProperty('access-control-allow-origin')
})

// What a cache keeps from a server's request, which names no origin, it hands to browsers as well.
it.each(['/oauth/jwks', '/.well-known/openid-configuration/oauth'])(
  'opens %s in what it gives to caches too (Fetch, CORS protocol and HTTP caches)',
  async (path) => {
    const response = await fixture().get(path)
    expect(response.headers['cache-control']).toBe('public, max-age=300')
    expect(response.headers['access-control-allow-origin']).toBe('*')
  },
)
