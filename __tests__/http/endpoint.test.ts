import { Agent, createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http'
import request from 'supertest'
import { type GrantType, memoryStore } from '../../lib'
import {
  CALLBACK,
  CHALLENGE,
  expectRefusal,
  expectUncached,
  fixture,
  listen,
  redirected,
} from '../support/fixture'

const POST = ['/oauth/token', '/oauth/revoke', '/oauth/introspect']
const GET = [
  '/oauth/jwks',
  '/oauth/.well-known/openid-configuration',
  '/.well-known/oauth-authorization-server/oauth',
]

describe('the method of a request', () => {
  it.each([
    ...POST.flatMap((path) =>
      (['get', 'head', 'put', 'patch', 'delete'] as const).map(
        (method) => [method, path, path.endsWith('introspect') ? 'POST' : 'POST, OPTIONS'] as const,
      ),
    ),
    ...GET.flatMap((path) =>
      (['post', 'put', 'patch', 'delete'] as const).map(
        (method) => [method, path, 'GET, HEAD, OPTIONS'] as const,
      ),
    ),
    ...(['put', 'patch', 'delete', 'options'] as const).map(
      (method) => [method, '/oauth/authorize', 'GET, POST'] as const,
    ),
    ['options', '/oauth/introspect', 'POST'] as const,
  ])('must not be %s at %s (RFC 9110 §15.5.6)', async (method, path, allow) => {
    const response = await request(fixture().app)[method](path)
    expect(response.status).toBe(405)
    expect(response.headers.allow).toBe(allow)
    expectUncached(response)
    if (method === 'head') return
    expect(response.body).toEqual({
      error: 'invalid_request',
      error_description: 'This method is not allowed here.',
    })
  })

  it.each(GET)(
    'may be HEAD where it may be GET: the same headers, no body (RFC 9110 §9.3.2): %s',
    async (path) => {
      const server = fixture()
      const [got, head] = [await server.get(path), await request(server.app).head(path)]
      const { date: _got, ...expected } = got.headers
      const { date: _head, ...headers } = head.headers
      expect(head.status).toBe(200)
      expect(headers).toEqual(expected)
      expect(head.text).toBeFalsy()
    },
  )

  it('is what it is, whatever the form or a header says of it', async () => {
    const response = await request(fixture().app)
      .get('/oauth/token?_method=POST')
      .set('X-HTTP-Method-Override', 'POST')
    expect(response.status).toBe(405)
  })
})

describe('the query of a request', () => {
  const NAMES = [
    'client_secret',
    'client_assertion',
    'code',
    'code_verifier',
    'refresh_token',
    'token',
    'password',
  ]

  it.each(POST.flatMap((path) => NAMES.map((name) => [name, path])))(
    'must not hold %s at %s (RFC 6749 §2.3.1)',
    async (name, path) => {
      const response = await request(fixture().app)
        .post(`${path}?x=1&${name}=a`)
        .type('form')
        .send('client_id=spa&grant_type=refresh_token')
      expectRefusal(response, 400, 'invalid_request')
      expect(response.body.error_description).toBe('Parameters must be sent in the body.')
    },
  )

  it.each([
    '?&client_secret=a',
    'x=?&client_secret=a',
    'x=1?2&y=?&code=a',
    'client%5Fsecret=a',
    'client_secret',
  ])('must not hide a secret behind its spelling: %s (RFC 3986 §3.4)', async (query) => {
    const response = await request(fixture().app)
      .post(`/oauth/token?${query}`)
      .type('form')
      .send('client_id=spa&grant_type=refresh_token')
    expectRefusal(response, 400, 'invalid_request')
    expect(response.body.error_description).toBe('Parameters must be sent in the body.')
  })

  it('gives no parameter to a request whose parameters are in the body (RFC 6749 §3.2)', async () => {
    const server = fixture()
    const { refresh_token } = await server.tokens()
    const response = await request(server.app)
      .post('/oauth/token?grant_type=refresh_token&client_id=spa&scope=openid')
      .type('form')
      .send({ refresh_token })
    expectRefusal(response, 401, 'invalid_client')
  })

  it('may hold question marks: they belong to the value (RFC 3986 §3.4)', async () => {
    const server = fixture()
    const query = new URLSearchParams({
      response_type: 'code',
      client_id: 'spa',
      redirect_uri: CALLBACK,
      scope: 'openid',
    })
    const rest = `code_challenge=${CHALLENGE}&code_challenge_method=S256`
    const response = await server.get(`/oauth/authorize?${query}&state=a?b=c?&${rest}`)
    expect(response.status).toBe(303)
    expect(redirected(response)).toEqual({
      code: expect.any(String),
      state: 'a?b=c?',
      iss: 'http://localhost:3000/oauth',
    })
  })
})

describe('a connection that is kept alive', () => {
  let http: Server | undefined

  afterEach(() => {
    http?.closeAllConnections()
    http?.close()
  })

  it('serves on after refusals (RFC 9112 §9.3)', async () => {
    const app = fixture()
    const { server, port } = await listen(app.app)
    http = server
    let connections = 0
    server.on('connection', () => connections++)
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })

    const send = (method: string, path: string, body: string) =>
      new Promise<IncomingMessage>((resolve, reject) => {
        const headers = {
          'Content-Type': 'application/x-www-form-urlencoded',
          'Content-Length': Buffer.byteLength(body),
        }
        httpRequest({ agent, port, method, path: `/oauth${path}`, headers }, (response) =>
          response.resume().on('end', () => resolve(response)),
        )
          .on('error', reject)
          .end(body)
      })
    const statuses: (number | undefined)[] = []
    for (const [method, path, body] of [
      ['POST', '/token', 'client_id=nobody'],
      ['POST', '/token', 'client_id=spa'],
      ['POST', '/token?code=a', 'client_id=spa'],
      ['PUT', '/token', `client_id=spa&pad=${'x'.repeat(100_000)}`],
      ['GET', '/authorize', ''],
      ['POST', '/revoke', 'client_id=spa&token=x'],
    ] as const) {
      const response = await send(method, path, body)
      statuses.push(response.statusCode)
      expect(response.headers.connection).toBe('keep-alive')
    }
    expect(statuses).toEqual([401, 400, 400, 405, 400, 200])
    expect(connections).toBe(1)
    agent.destroy()
  })
})

describe('a fault that nobody foresaw', () => {
  const failing = (error: unknown): GrantType => ({
    name: 'urn:example:failing',
    parameters: [],
    handle: () => Promise.reject(error),
  })
  const clients = [
    { client_id: 'spa', token_endpoint_auth_method: 'none', grant_types: ['urn:example:failing'] },
  ]

  it.each([
    ['an error', new Error('at /srv/app.js: the password is x')],
    ['a type error', new TypeError("Cannot read properties of undefined (reading 'x')")],
    ['a string', 'the password is x'],
    ['nothing', undefined],
    ['null', null],
    ['what looks like an answer', { status: 200, body: {}, code: 'x', toJSON: () => ({}) }],
  ])('is a server_error that says nothing of itself: %s (RFC 6749 §4.1.2.1)', async (_, thrown) => {
    const server = fixture({ clients, grants: [failing(thrown)] })
    const response = await server.post('/token', 'grant_type=urn:example:failing&client_id=spa')
    expect(response.status).toBe(500)
    expect(response.body).toEqual({ error: 'server_error', error_description: 'The server failed.' })
    expectUncached(response)
    expect(server.events).toEqual([
      {
        type: 'request.refused',
        endpoint: 'token',
        status: 500,
        error: 'server_error',
        reason: 'unexpected',
        clientId: 'spa',
        cause: thrown,
      },
    ])
  })

  it('ends the connection where a half of an answer is out already', async () => {
    const server = fixture({
      authorize: async (_request, _req, res) => {
        res.write('<p>half a page')
        throw new Error('The template broke.')
      },
    })
    const asked = request(createServer(server.oauth)).get('/oauth/authorize').query({
      response_type: 'code',
      client_id: 'spa',
      redirect_uri: CALLBACK,
      scope: 'openid',
      code_challenge: CHALLENGE,
      code_challenge_method: 'S256',
    })
    await expect(asked).rejects.toThrow(/aborted|hang up/)
    expect(server.eventsOf('host.trouble')).toEqual([
      { type: 'host.trouble', operation: 'authorize', cause: new Error('The template broke.') },
    ])
  })

  it('is told as trouble of ours, never as the fault of the client (RFC 6749 §5.2)', async () => {
    const store = memoryStore()
    const server = fixture({ store: { ...store, advance: () => Promise.reject(new Error('down')) } })
    const response = await server.exchange(await server.code())
    expectRefusal(response, 503, 'temporarily_unavailable')
    expect(response.headers['retry-after']).toBe('1')
  })
})
