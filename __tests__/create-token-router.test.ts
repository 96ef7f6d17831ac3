import { createServer } from 'node:http'
import express, { type Express, type NextFunction, type Request, type Response } from 'express'
import type { Store } from 'express-rate-limit'
import express4 from 'express4'
import request from 'supertest'
import { ConfigError, createTokenRouter, memoryStore, type TokenRouterOptions } from '../lib'
import {
  APPROVAL,
  CALLBACK,
  CHALLENGE,
  CLIENTS,
  claimsOf,
  ES256,
  expectRefusal,
  fixture,
  ISSUER,
  redirected,
  SECRET,
  VERIFIER,
} from './support/fixture'

const OPTIONS: TokenRouterOptions = {
  issuer: ISSUER,
  secret: SECRET,
  signingKeys: [ES256],
  clients: CLIENTS,
  findAccount: () => ({}),
  authorize: () => APPROVAL,
  store: memoryStore(),
  rateLimit: false,
  onEvent: () => {},
}

const router = (options: Partial<TokenRouterOptions> = {}) => createTokenRouter({ ...OPTIONS, ...options })

const QUERY = new URLSearchParams({
  response_type: 'code',
  client_id: 'spa',
  redirect_uri: CALLBACK,
  scope: 'openid',
  code_challenge: CHALLENGE,
  code_challenge_method: 'S256',
})

const EXPRESS = [
  ['Express 5', express],
  ['Express 4', express4 as unknown as typeof express],
] as const

type App = Parameters<typeof request>[0]

/** The whole flow, where the endpoints are at this path. */
async function flow(app: App, at: string, headers: Record<string, string> = {}) {
  const approved = await request(app).get(`${at}/authorize?${QUERY}`).set(headers)
  const { code, iss } = redirected(approved)
  const { body } = await request(app).post(`${at}/token`).set(headers).type('form').send({
    grant_type: 'authorization_code',
    client_id: 'spa',
    code,
    redirect_uri: CALLBACK,
    code_verifier: VERIFIER,
  })
  const jwks = await request(app).get(`${at}/jwks`).set(headers)
  return { iss, tokens: body, jwks: jwks.body }
}

describe.each(EXPRESS)('mounted in an app of %s', (_name, create) => {
  it('serves the whole flow below the path of the issuer', async () => {
    const app = create().use('/oauth', router())
    const { tokens, jwks } = await flow(app, '/oauth')
    expect(tokens).toMatchObject({ token_type: 'Bearer', id_token: expect.any(String) })
    expect(jwks.keys).toHaveLength(1)
  })

  it('serves it in a router within a router', async () => {
    const issuer = 'http://localhost:3000/v1/auth'
    const app = create().use('/v1', create.Router().use('/auth', router({ issuer })))
    expect((await flow(app, '/v1/auth')).tokens).toHaveProperty('access_token')
  })

  it('serves it in an app within an app', async () => {
    const issuer = 'http://localhost:3000/v1/auth'
    const app = create().use('/v1', create().use('/auth', router({ issuer })))
    expect((await flow(app, '/v1/auth')).tokens).toHaveProperty('access_token')
  })

  it('serves it at the root, and leaves the rest to the app', async () => {
    const oauth = router({ issuer: 'http://localhost:3000' })
    const app = create().use(oauth).use(oauth.wellKnown)
    app.get('/hello', (_req: Request, res: Response) => {
      res.send('world')
    })
    expect((await flow(app, '')).tokens).toHaveProperty('access_token')
    expect((await request(app).get('/hello')).text).toBe('world')
  })

  it('serves it where a proxy strips a part of the path', async () => {
    const app = create().use(
      '/auth',
      router({ issuer: 'https://app.example/public/auth', mountPath: '/auth' }),
    )
    const { tokens } = await flow(app, '/auth')
    expect(claimsOf(tokens.access_token).iss).toBe('https://app.example/public/auth')
  })

  it('takes the mount in another case, as Express does', async () => {
    const app = create().use('/OAuth', router())
    expect((await flow(app, '/oAUTH')).tokens).toHaveProperty('access_token')
  })

  it('takes a slash at the end, as Express does', async () => {
    const app = create().use('/oauth', router())
    expect((await request(app).get('/oauth/jwks/')).status).toBe(200)
  })

  it.each([
    '/oauth',
    '/oauth/',
    '/oauth/unknown',
    '/oauth/token/x',
    '/oauth/Token',
    '/oauth/jwks//',
    '/oauth/%74oken',
  ])('passes on what is no endpoint: %s', async (path) => {
    const app = create().use('/oauth', router())
    app.use((_req: Request, res: Response) => {
      res.status(418).end()
    })
    expect((await request(app).get(path)).status).toBe(418)
  })

  it.each([
    ['/', '/oauth'],
    ['/auth', '/oauth'],
    ['/api/oauth', '/oauth'],
  ])('says so at the first request where it is mounted at %s: metadata would be wrong', async (mount) => {
    const errors: unknown[] = []
    const app = create().use(mount, router())
    app.use((error: unknown, _req: Request, res: Response, _next: NextFunction) => {
      errors.push(error)
      res.status(500).end()
    })
    const response = await request(app).get(`${mount === '/' ? '' : mount}/jwks`)

    expect(response.status).toBe(500)
    expect(errors).toEqual([expect.any(ConfigError)])
    expect(errors).toMatchObject([
      {
        code: 'wrong_mount',
        option: 'issuer',
        message: expect.stringContaining("app.use('/oauth', "),
      },
    ])
  })

  it('says so where the discovery documents are mounted below a path: nobody would find them (RFC 8414 §3.1)', async () => {
    let message = ''
    const app = create().use('/oauth', router().wellKnown)
    app.use((error: Error, _req: Request, res: Response, _next: NextFunction) => {
      message = error.message
      res.status(500).end()
    })
    await request(app).get('/oauth/.well-known/openid-configuration/oauth')
    expect(message).toContain('app.use(oauth.wellKnown)')
  })
})

describe('without Express', () => {
  const serve = (oauth: ReturnType<typeof router>) =>
    createServer((req, res) =>
      oauth(req, res, () => oauth.wellKnown(req, res, () => res.writeHead(404).end())),
    )

  it('serves the whole flow from node:http', async () => {
    const server = serve(router())
    expect((await flow(server, '/oauth')).tokens).toHaveProperty('access_token')
    for (const path of [
      '/.well-known/oauth-authorization-server/oauth',
      '/oauth/.well-known/openid-configuration',
    ])
      expect((await request(server).get(path)).body).toMatchObject({ issuer: ISSUER })
  })

  it('is a whole listener by itself: what is no endpoint is 404', async () => {
    const server = createServer(router())
    expect((await request(server).get('/oauth/jwks')).status).toBe(200)
    const missing = await request(server).get('/')
    expect({ status: missing.status, text: missing.text }).toEqual({ status: 404, text: '' })
  })

  it.each([
    '/',
    '/oauth',
    '/oauthtoken',
    '/oauthx/token',
    '/token',
    '/x/oauth/jwks',
    '/other/jwks',
    '//oauth/jwks',
  ])('passes on what is no endpoint: %s', async (path) => {
    expect((await request(serve(router())).get(path)).status).toBe(404)
  })
})

describe('the issuer', () => {
  const forged = {
    Host: 'attacker.example',
    'X-Forwarded-Host': 'attacker.example',
    'X-Forwarded-Proto': 'http',
    'X-Forwarded-Prefix': '/x',
    Forwarded: 'host=attacker.example;proto=http',
  }

  it.each([
    ['with a path', 'https://app.example/oauth', '/oauth', '/.well-known/oauth-authorization-server/oauth'],
    ['with a longer path', 'https://app.example/a/b', '/a/b', '/.well-known/oauth-authorization-server/a/b'],
    [
      'with a slash at its end',
      'https://app.example/oauth/',
      '/oauth',
      '/.well-known/oauth-authorization-server/oauth',
    ],
    ['without a path', 'https://app.example', '', '/.well-known/oauth-authorization-server'],
    ['with a slash alone', 'https://app.example/', '', '/.well-known/oauth-authorization-server'],
  ])(
    'is the same everywhere, letter by letter, whatever the Host says: %s (RFC 8414 §3.3, RFC 9207 §2.3)',
    async (_what, issuer, mount, inserted) => {
      const oauth = router({ issuer })
      const app = express().set('trust proxy', true)
      app.use(mount || '/', oauth)
      app.use(oauth.wellKnown)
      const { iss, tokens } = await flow(app, mount, forged)
      const places = [
        inserted,
        inserted.replace('oauth-authorization-server', 'openid-configuration'),
        `${mount}/.well-known/openid-configuration`,
        `${mount}/.well-known/oauth-authorization-server`,
      ]
      const documents = await Promise.all(places.map((place) => request(app).get(place).set(forged)))

      expect(iss).toBe(issuer)
      expect(claimsOf(tokens.access_token)).toMatchObject({ iss: issuer, aud: issuer })
      expect(claimsOf(tokens.id_token)).toMatchObject({ iss: issuer })
      for (const { body, text } of documents) {
        expect(body.issuer).toBe(issuer)
        expect(body.token_endpoint).toBe(`https://app.example${mount}/token`)
        expect(text).not.toContain('attacker')
      }
    },
  )

  it('is the realm of a challenge, whatever the Host says (RFC 6749 §5.2)', async () => {
    const response = await fixture().post('/token', { grant_type: 'x' }).auth('web', 'wrong').set(forged)
    expectRefusal(response, 401, 'invalid_client')
    expect(response.headers['www-authenticate']).toBe(`Basic realm="${ISSUER}", charset="UTF-8"`)
  })
})

describe('two routers in one app, on one store, with one secret and one key', () => {
  const store = memoryStore()
  const [one, two] = ['one', 'two'].map((tenant) =>
    router({ store, issuer: `http://localhost:3000/${tenant}` }),
  ) as [ReturnType<typeof router>, ReturnType<typeof router>]
  let app: Express
  beforeAll(() => {
    app = express().use('/one', one).use('/two', two).use(one.wellKnown).use(two.wellKnown)
  })

  it('each have their own metadata (RFC 8414 §3.1)', async () => {
    for (const tenant of ['one', 'two']) {
      const { body } = await request(app).get(`/.well-known/openid-configuration/${tenant}`)
      expect(body.issuer).toBe(`http://localhost:3000/${tenant}`)
    }
  })

  it('take no code and no token of the other', async () => {
    const { code } = redirected(await request(app).get(`/one/authorize?${QUERY}`))
    const exchange = {
      grant_type: 'authorization_code',
      client_id: 'spa',
      code,
      redirect_uri: CALLBACK,
      code_verifier: VERIFIER,
    }
    expectRefusal(await request(app).post('/two/token').type('form').send(exchange), 400, 'invalid_grant')

    const { body } = await request(app).post('/one/token').type('form').send(exchange)
    const guard = two.requireAccessToken({ audience: 'http://localhost:3000/one' })
    app.get('/api', guard, (_req, res) => {
      res.send('in')
    })
    expect((await request(app).get('/api').set('Authorization', `Bearer ${body.access_token}`)).status).toBe(
      401,
    )
  })
})

describe('close', () => {
  it('closes the store and the stores of the rate limits', async () => {
    const closed: string[] = []
    const limits = (name: string): Store => ({
      increment: () => ({ totalHits: 1, resetTime: undefined }),
      get: () => undefined,
      decrement: () => {},
      resetKey: () => {},
      shutdown: () => void closed.push(name),
    })
    const oauth = router({
      store: { ...memoryStore(), close: async () => void closed.push('store') },
      rateLimit: { store: limits },
    })
    await oauth.close()
    expect(closed.sort()).toEqual(['address', 'client', 'store'])
  })

  it('says so when the store cannot close', async () => {
    const oauth = router({
      store: { ...memoryStore(), close: () => Promise.reject(new Error('still busy')) },
    })
    await expect(oauth.close()).rejects.toThrow('still busy')
  })

  it('may be called again: a second signal is no fault', async () => {
    const oauth = router({ rateLimit: {} })
    await oauth.close()
    await expect(oauth.close()).resolves.toBeUndefined()
  })
})
