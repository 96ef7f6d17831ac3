import request, { type Response } from 'supertest'
import { CALLBACK, expectUncached, type Fixture, fixture } from '../support/fixture'

/** Requests that end in each of the answers there are. */
const ANSWERS: readonly (readonly [string, number, (server: Fixture) => PromiseLike<Response>])[] = [
  ['tokens for a code', 200, async (server) => server.exchange(await server.code())],
  [
    'tokens for a refresh token',
    200,
    async (server) => server.refresh((await server.tokens()).refresh_token),
  ],
  [
    'an introspection',
    200,
    async (server) => {
      const { access_token } = await server.tokens({ client_id: 'web' })
      return server.post('/introspect', { token: access_token }).auth('web', 'web-secret')
    },
  ],
  [
    'an introspection of nothing',
    200,
    (server) => server.post('/introspect', 'token=x').auth('api', 'api-secret'),
  ],
  ['invalid_request', 400, (server) => server.post('/token', 'client_id=spa')],
  ['invalid_client', 401, (server) => server.post('/token', 'client_id=nobody')],
  ['invalid_grant', 400, (server) => server.exchange('x')],
  ['unsupported_grant_type', 400, (server) => server.post('/token', 'client_id=spa&grant_type=x')],
  [
    'invalid_scope',
    400,
    async (server) => server.refresh((await server.tokens()).refresh_token, { scope: 'more' }),
  ],
  ['a wrong method', 405, (server) => server.get('/oauth/token')],
  ['a wrong content type', 400, (server) => request(server.app).post('/oauth/token').send({})],
]

describe('any answer', () => {
  it.each(ANSWERS)('is JSON that no cache keeps: %s (RFC 6749 §5.1, §5.2)', async (_, status, ask) => {
    const response = await ask(fixture())
    expect(response.status).toBe(status)
    expectUncached(response)
    expect(response.headers['x-content-type-options']).toBe('nosniff')
    expect(Number(response.headers['content-length'])).toBe(Buffer.byteLength(response.text))
    expect(Object.keys(response.body).length).toBeGreaterThan(0)
  })

  it('to a revocation is empty, and no cache keeps it (RFC 7009 §2.2)', async () => {
    const { status, headers, text } = await fixture().post('/revoke', 'client_id=spa&token=x')
    expect({ status, text }).toEqual({ status: 200, text: '' })
    expect(headers).toMatchObject({ 'cache-control': 'no-store', pragma: 'no-cache', 'content-length': '0' })
    expect(headers).not.toHaveProperty('content-type')
  })

  it('says its length in bytes, not in characters (RFC 9110 §8.6)', async () => {
    const server = fixture({ findAccount: () => ({ accessTokenClaims: { name: 'Zoë 李' } }) })
    const { access_token } = await server.tokens({ client_id: 'web' })
    const response = await server.post('/introspect', { token: access_token }).auth('web', 'web-secret')
    expect(response.body.name).toBe('Zoë 李')
  })

  it('keeps its headers where the host has set others (RFC 6749 §5.1)', async () => {
    const server = fixture({
      before: (app) =>
        app.use((_req, res, next) => {
          res.set({ 'Cache-Control': 'public, max-age=3600', 'Content-Type': 'text/html', ETag: '"x"' })
          next()
        }),
    })
    const response = await server.exchange('x')
    expectUncached(response)
  })
})

describe('what a request says', () => {
  const marker = 'm4rk3r'
  const hostile = `${marker}"><script>alert(1)</script>\r\nX-Injected: ${marker}`

  /** Hostile text in every place of a request that an answer could repeat. */
  const requests: readonly (readonly [string, (server: Fixture) => PromiseLike<Response>])[] = [
    ...['grant_type', 'client_id', 'client_secret', 'code', 'redirect_uri', 'code_verifier', 'unknown'].map(
      (name) =>
        [
          `${name} of a code exchange`,
          async (server: Fixture) => server.exchange(await server.code(), { [name]: hostile }),
        ] as const,
    ),
    ...['grant_type', 'client_id', 'refresh_token', 'scope'].map(
      (name) =>
        [
          `${name} of a refresh`,
          async (server: Fixture) =>
            server.refresh((await server.tokens()).refresh_token, { [name]: hostile }),
        ] as const,
    ),
    [
      'a name',
      (server) => server.post('/token', new URLSearchParams({ client_id: 'spa', [hostile]: 'x' }).toString()),
    ],
    [
      'a name that is there twice',
      (server) => server.post('/token', `client_id=spa&${marker}=${marker}&${marker}=${marker}`),
    ],
    ['Basic credentials', (server) => server.post('/token', '').auth(marker, marker)],
    [
      'malformed Basic credentials',
      (server) => server.post('/token', '').set('Authorization', `Basic ${marker}`),
    ],
    ['another scheme', (server) => server.post('/token', '').set('Authorization', `${marker} ${marker}`)],
    ['the content type', (server) => server.post('/token', 'x').set('Content-Type', `text/${marker}`)],
    ['the content encoding', (server) => server.post('/token', 'x').set('Content-Encoding', marker)],
    ['the query', (server) => request(server.app).post(`/oauth/token?code=${marker}`).type('form').send('x')],
    ['the method', (server) => request(server.app).put(`/oauth/token?${marker}`)],
    ['an unknown client at the authorization endpoint', (server) => server.authorize({ client_id: hostile })],
    [
      'a redirect URI that is not registered',
      (server) => server.authorize({ redirect_uri: `${CALLBACK}/${hostile}` }),
    ],
    ['the host', (server) => server.exchange('x').set('Host', `${marker}.example`)],
    ['the origin', (server) => server.exchange('x').set('Origin', `https://${marker}.example`)],
    ['a token to revoke', (server) => server.post('/revoke', { client_id: 'spa', token: hostile })],
    [
      'a token to introspect',
      (server) => server.post('/introspect', { token: hostile }).auth('api', 'api-secret'),
    ],
  ]

  it.each(requests)('is not repeated in the answer: %s (RFC 6749 §5.2)', async (_, ask) => {
    const response = await ask(fixture())
    expect(JSON.stringify([response.headers, response.text])).not.toContain(marker)
    expect(response.text).not.toMatch(/node_modules|\.[jt]s:\d+/)
    if (response.status !== 200) expect(response.status).toBeGreaterThanOrEqual(400)
    expect(response.status).toBeLessThan(500)
  })
})
