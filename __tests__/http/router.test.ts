import { createServer, get, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import express, { type ErrorRequestHandler, type Express } from 'express'
import express4 from 'express4'
import request from 'supertest'
import { ConfigError, type TokenRouter } from '../../lib'
import {
  CALLBACK,
  CHALLENGE,
  claimsOf,
  expectRefusal,
  fixture,
  ISSUER,
  redirected,
  VERIFIER,
} from '../support/fixture'

const METADATA = '/.well-known/openid-configuration'

const MAJORS = [
  ['Express 4', 4, express4 as unknown as typeof express],
  ['Express 5', 5, express],
] as const

const router = (issuer: string, mountPath?: string): TokenRouter => fixture({ issuer, mountPath }).oauth

/** The status of a GET whose request target is sent as it is here. */
function statusOf(app: RequestListener, path: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const http = createServer(app).listen(0, '127.0.0.1', () => {
      const { port } = http.address() as AddressInfo
      get({ port, path, agent: false }, (response) => {
        response.resume()
        http.close()
        resolve(response.statusCode)
      }).on('error', reject)
    })
  })
}

describe.each(MAJORS)('on %s', (_, expressMajor, createApp) => {
  it('serves the whole flow', async () => {
    const server = fixture({ expressMajor })
    const tokens = await server.tokens()
    expect((await server.refresh(tokens.refresh_token)).status).toBe(200)
    expect((await server.post('/revoke', { client_id: 'spa', token: tokens.access_token })).status).toBe(200)
    expect((await server.get('/oauth/jwks')).status).toBe(200)
    expect((await server.get(`${METADATA}/oauth`)).body.issuer).toBe(ISSUER)
  })

  const mounts: readonly (readonly [
    string,
    string,
    string,
    (app: Express, oauth: TokenRouter) => unknown,
  ])[] = [
    ['at the root', 'http://localhost', '', (app, oauth) => app.use(oauth)],
    [
      'with a slash behind the path',
      'http://localhost/oauth',
      '/oauth',
      (app, oauth) => app.use('/oauth/', oauth),
    ],
    [
      'for an issuer with a slash behind',
      'http://localhost/oauth/',
      '/oauth',
      (app, oauth) => app.use('/oauth', oauth),
    ],
    [
      'in a Router',
      'http://localhost/api/oauth',
      '/api/oauth',
      (app, oauth) => app.use('/api', createApp.Router().use('/oauth', oauth)),
    ],
    [
      'in an app inside an app',
      'http://localhost/api/oauth',
      '/api/oauth',
      (app, oauth) => app.use('/api', createApp().use('/oauth', oauth)),
    ],
    [
      'at the root of an app inside an app',
      'http://localhost/oauth',
      '/oauth',
      (app, oauth) => app.use('/oauth', createApp().use(oauth)),
    ],
    [
      'by the path that arrives',
      'https://app.example/auth/oauth',
      '/oauth',
      (app, oauth) => app.use('/oauth', oauth),
    ],
  ]

  it.each(mounts)('may be mounted %s', async (_name, issuer, path, mount) => {
    const app = createApp()
    mount(app, router(issuer, issuer.includes('/auth/') ? path : undefined))
    expect((await request(app).get(`${path}/jwks`)).status).toBe(200)
    expectRefusal(await request(app).post(`${path}/token`).type('form'), 401, 'invalid_client')
    const { body } = await request(app).get(path + METADATA)
    expect(body.token_endpoint).toBe(`${issuer.replace(/\/$/, '')}/token`)
  })

  it.each([
    ['at the root', (app: Express, oauth: TokenRouter) => app.use(oauth), '/jwks', '/'],
    ['at another path', (app: Express, oauth: TokenRouter) => app.use('/auth', oauth), '/auth/jwks', '/auth'],
    [
      'below another app',
      (app: Express, oauth: TokenRouter) => app.use('/api', createApp().use('/oauth', oauth)),
      '/api/oauth/jwks',
      '/api/oauth',
    ],
    [
      'behind a parameter',
      (app: Express, oauth: TokenRouter) => app.use('/:tenant', oauth),
      '/acme/jwks',
      '/acme',
    ],
  ])(
    'says at the first request that it does not fit the issuer: mounted %s',
    async (_name, mount, path, seen) => {
      const app = createApp()
      const thrown: unknown[] = []
      const onError: ErrorRequestHandler = (error, _req, res, _next) => {
        thrown.push(error)
        res.sendStatus(500)
      }
      mount(app, router(ISSUER))
      app.use(onError)
      expect((await request(app).get(path)).status).toBe(500)
      expect(thrown).toEqual([expect.any(ConfigError)])
      expect(thrown[0]).toMatchObject({
        code: 'wrong_mount',
        option: 'issuer',
        message: `issuer: the router is mounted at "${seen}", but by the issuer it belongs at "/oauth". Mount it with app.use('/oauth', oauth), or set mountPath where a proxy strips a part of the path.`,
      })
    },
  )

  it('says at the first request that the discovery documents belong to the root (RFC 8414 §3.1)', async () => {
    const app = createApp()
    let message = ''
    const onError: ErrorRequestHandler = (error: Error, _req, res, _next) => {
      message = error.message
      res.sendStatus(500)
    }
    app.use('/oauth', router(ISSUER).wellKnown)
    app.use(onError)
    expect((await request(app).get(`/oauth${METADATA}/oauth`)).status).toBe(500)
    expect(message).toContain('app.use(oauth.wellKnown)')
    expect(message).not.toContain('the path of the issuer says "/"')
  })

  it.each(['', '/', '/token/x', '/tokens', '/%2e%2e/oauth/token', '/constructor', '/__proto__'])(
    'passes on what is none of its own: /oauth%s',
    async (path) => {
      const server = fixture({ expressMajor })
      server.app.use((_req, res) => void res.status(418).send('of the host'))
      expect((await server.get(`/oauth${path}`)).text).toBe('of the host')
    },
  )

  it.each(['/oauth/token/', '/oauth/token/?x=1', '/oauth/token?', '/OAuth/token'])(
    'serves %s as the app does: slashes at the end and the case of the mount do not matter',
    async (path) => {
      const server = fixture({ expressMajor })
      expectRefusal(await request(server.app).post(path).type('form'), 401, 'invalid_client')
    },
  )

  it('serves a request whose target is a whole URL (RFC 9112 §3.2.2)', async () => {
    expect(await statusOf(fixture({ expressMajor }).app, 'http://localhost/oauth/jwks?x=1')).toBe(200)
  })
})

describe('where a request says it went to', () => {
  it.each(['http://evil.example', 'https://app.example'])(
    'changes nothing: issuer, audience and endpoints come from the options (RFC 9449 §4.3): %s',
    async (origin) => {
      const { host, protocol } = new URL(origin)
      const forged = {
        Host: host,
        'X-Forwarded-Host': host,
        'X-Forwarded-Proto': protocol.slice(0, -1),
        'X-Forwarded-Prefix': '/evil',
        Forwarded: `host=${host};proto=https`,
      }
      const server = fixture({ before: (app) => app.set('trust proxy', true) })
      const authorized = await server.authorize().set(forged)
      expect(redirected(authorized).iss).toBe(ISSUER)

      const { body } = await server.exchange(redirected(authorized).code as string).set(forged)
      expect(claimsOf(body.access_token)).toMatchObject({ iss: ISSUER, aud: ISSUER })
      expect(claimsOf(body.id_token)).toMatchObject({ iss: ISSUER, aud: 'spa' })

      const refused = await server.post('/token', '').set(forged).auth('spa', 'x')
      expect(refused.headers['www-authenticate']).toContain(ISSUER)
      const metadata = await server.get(`${METADATA}/oauth`).set(forged)
      expect(metadata.text).not.toContain(host)
      expect(metadata.body.issuer).toBe(ISSUER)
    },
  )
})

describe('under http.createServer', () => {
  it('serves the whole flow', async () => {
    const { oauth } = fixture()
    const http = createServer(oauth)
    const authorized = await request(http).get('/oauth/authorize').query({
      response_type: 'code',
      client_id: 'spa',
      redirect_uri: CALLBACK,
      scope: 'openid',
      code_challenge: CHALLENGE,
      code_challenge_method: 'S256',
    })
    const exchanged = await request(http)
      .post('/oauth/token')
      .type('form')
      .send({
        grant_type: 'authorization_code',
        client_id: 'spa',
        code: redirected(authorized).code,
        redirect_uri: CALLBACK,
        code_verifier: VERIFIER,
      })
    expect(exchanged.status).toBe(200)
    expect((await request(http).get('/oauth/jwks/')).status).toBe(200)
  })

  it.each(['/', '/oauth', '/oauthtoken', '/token', '/x/oauth/token', '/oauth/x'])(
    'answers 404 to %s, which is none of its own',
    async (path) => {
      const { status, text, headers } = await request(createServer(fixture().oauth)).get(path)
      expect({ status, text }).toEqual({ status: 404, text: '' })
      expect(headers['cache-control']).toBe('no-store')
    },
  )

  it('serves a request whose target is a whole URL (RFC 9112 §3.2.2)', async () => {
    expect(await statusOf(fixture().oauth, 'https://localhost:3000/oauth/jwks')).toBe(200)
  })

  it('passes on to the discovery documents and to the host', async () => {
    const { oauth } = fixture()
    const http = createServer((req, res) =>
      oauth(req, res, () => oauth.wellKnown(req, res, () => res.writeHead(418).end('of the host'))),
    )
    expect((await request(http).get(`${METADATA}/oauth`)).body.issuer).toBe(ISSUER)
    expect((await request(http).get('/')).text).toBe('of the host')
  })
  it('serves /token in front of an Express app that serves the rest', async () => {
    const server = fixture()
    const http = createServer((req, res) =>
      req.url === '/oauth/token' ? server.oauth(req, res) : server.app(req, res),
    )
    const code = await server.code()
    const exchanged = await request(http).post('/oauth/token').type('form').send({
      grant_type: 'authorization_code',
      client_id: 'spa',
      code,
      redirect_uri: CALLBACK,
      code_verifier: VERIFIER,
    })
    expect(exchanged.status).toBe(200)
    expect(exchanged.headers).not.toHaveProperty('x-powered-by')
    const { status, headers } = await request(http).get('/oauth/jwks')
    expect({ status, by: headers['x-powered-by'] }).toEqual({ status: 200, by: 'Express' })
  })
})
