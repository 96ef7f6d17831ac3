import request from 'supertest'
import { ConfigError, type LogoutFunction, memoryStore } from '../../lib'
import {
  APPROVAL,
  CLIENTS,
  expectErrorPage,
  expectRefusal,
  type FixtureOptions,
  fixture,
} from '../support/fixture'

const GOODBYE = 'https://client.example/goodbye'
const clients = CLIENTS.map((client) => ({ ...client, post_logout_redirect_uris: [GOODBYE] }))

/** A host whose approvals are of one session after the other. */
function server(logout: LogoutFunction, options: FixtureOptions = {}) {
  let sid = ''
  const authorize = () => ({ ...APPROVAL, sid })
  const host = fixture({ clients, logout, authorize, ...options })
  return Object.assign(host, {
    signIn(session: string, clientId = 'spa') {
      sid = session
      return host.tokens({ client_id: clientId })
    },
    codeIn(session: string) {
      sid = session
      return host.code()
    },
    leave: (query = `client_id=spa&post_logout_redirect_uri=${GOODBYE}`) =>
      request(host.app).get(`/oauth/logout?${query}`),
  })
}

describe('what the host returns ends', () => {
  it('the grants of one session: of all clients, and codes that were not exchanged; no others', async () => {
    const host = server(() => ({ grants: 'session', subject: 'alice', sid: 'one' }))
    const first = await host.signIn('one')
    await host.signIn('one', 'web')
    const code = await host.codeIn('one')
    const second = await host.signIn('two')

    expect((await host.leave()).status).toBe(303)
    expectRefusal(await host.refresh(first.refresh_token), 400, 'invalid_grant')
    expectRefusal(await host.exchange(code), 400, 'invalid_grant')
    expect((await host.refresh(second.refresh_token)).status).toBe(200)
    expect((await host.oauth.grants.list('alice')).grants).toHaveLength(1)
    expect(host.eventsOf('grant.revoked')).toEqual([
      {
        type: 'grant.revoked',
        by: 'host',
        subject: 'alice',
        clientId: undefined,
        grant: undefined,
        count: 3,
      },
    ])
  })

  it('all that the user has', async () => {
    const host = server(() => ({ grants: 'all', subject: 'alice' }))
    await host.signIn('one')
    await host.signIn('two', 'web')

    expect((await host.leave()).headers.location).toBe(GOODBYE)
    expect((await host.oauth.grants.list('alice')).grants).toEqual([])
    expect(host.eventsOf('grant.revoked')).toMatchObject([{ subject: 'alice', count: 2 }])
  })

  it('nothing: apps stay signed in (OIDC Back-Channel Logout §2.7)', async () => {
    const host = server(() => ({ grants: 'keep' }))
    const { refresh_token } = await host.signIn('one')

    expect((await host.leave()).headers.location).toBe(GOODBYE)
    expect((await host.refresh(refresh_token)).status).toBe(200)
    expect(host.eventsOf('grant.revoked')).toEqual([])
  })

  it('nothing of another user whose session has the same name', async () => {
    const host = server(() => ({ grants: 'session', subject: 'bob', sid: 'one' }))
    const { refresh_token } = await host.signIn('one')

    expect((await host.leave()).status).toBe(303)
    expect((await host.refresh(refresh_token)).status).toBe(200)
  })

  it.each([
    ['no sid', { grants: 'session', subject: 'alice' }],
    ['an empty sid', { grants: 'session', subject: 'alice', sid: '' }],
    ['no subject', { grants: 'all' }],
    ['something else', { grants: 'some' }],
    ['true', true],
  ])('nothing where it is no decision: %s. 500, and the cause in an event', async (_what, decision) => {
    const host = server(() => decision as never)
    const { refresh_token } = await host.signIn('one')

    expectErrorPage(await host.leave(), 500)
    expect((await host.refresh(refresh_token)).status).toBe(200)
    expect(host.eventsOf('request.refused')).toMatchObject([
      { endpoint: 'logout', error: 'server_error', cause: { code: 'bad_logout', option: 'logout' } },
    ])
    expect(host.eventsOf('request.refused')[0]?.cause).toBeInstanceOf(ConfigError)
  })
})

describe("a page of the host's own", () => {
  const logout: LogoutFunction = (asked, _req, res) => {
    if (asked.form?.get('decision') === 'yes') return { grants: 'keep' }
    if (asked.form) return res.redirect(303, '/')
    res.send(
      `<form method="post"><button name="decision" value="yes">Sign out ${asked.client?.client_id}</button>`,
    )
  }

  it.each([
    [
      'with the request in its URL',
      `client_id=spa&post_logout_redirect_uri=${GOODBYE}&state=s`,
      `${GOODBYE}?state=s`,
    ],
    ['for a request without parameters', '', undefined],
  ])(
    'is shown, and answered by a form that is posted to the same URL, %s',
    async (_what, query, location) => {
      const host = server(logout)
      const shown = await host.leave(query)
      expect(shown.text).toContain('<form method="post">')
      expect(shown.headers).toMatchObject({
        'x-frame-options': 'DENY',
        'cache-control': 'no-store',
        'referrer-policy': 'same-origin',
        'content-security-policy': "frame-ancestors 'none'",
      })

      const post = (decision: string) => host.post(`/logout?${query}`, { decision })
      expect((await post('yes').set('Sec-Fetch-Site', 'same-origin')).headers.location).toBe(location)
      expect((await post('no').set('Sec-Fetch-Site', 'same-origin')).headers.location).toBe('/')
    },
  )

  it('may have fields with the names of parameters: the request is the one in the URL', async () => {
    const host = server(logout)
    const query = `client_id=spa&post_logout_redirect_uri=${GOODBYE}&state=s`
    const { headers } = await host.post(`/logout?${query}`, {
      decision: 'yes',
      state: 'x',
      client_id: 'other',
    })

    expect(headers.location).toBe(`${GOODBYE}?state=s`)
  })

  it.each(['cross-site', 'same-site'])(
    'is not answered from elsewhere: a form that comes %s is refused (RFC 6819 §5.3.5)',
    async (site) => {
      const host = server(logout)
      for (const query of ['', '?client_id=spa'])
        expectErrorPage(await host.post(`/logout${query}`, { decision: 'yes' }).set('Sec-Fetch-Site', site))
      expect(host.eventsOf('request.refused')).toMatchObject(Array(2).fill({ reason: 'foreign_form' }))
    },
  )
})

describe('the page at the end, where there is nowhere to go', () => {
  it('says so, and can do nothing else', async () => {
    const { status, headers, text } = await server(() => ({ grants: 'keep' })).leave('')

    expect(status).toBe(200)
    expect(headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'content-security-policy': expect.stringMatching(/^default-src 'none'; style-src 'sha256-/),
    })
    expect(text).toMatch(/^<!doctype html>/)
    expect(text).toContain('<h1>You are signed out</h1>')
  })
})

describe('trouble', () => {
  it('of the store is 503: nobody is told that the grants have ended', async () => {
    const store = memoryStore()
    const list = () => Promise.reject(new Error('down'))
    const host = server(() => ({ grants: 'session', subject: 'alice', sid: 'one' }), {
      store: { ...store, list },
    })
    const response = await host.leave()

    expectErrorPage(response, 503)
    expect(response.headers['retry-after']).toMatch(/^[1-9]\d*$/)
    expect(response.text).toContain('The sign-out does not work at the moment')
  })

  it('of the host is 503, and an event', async () => {
    const host = server(() => {
      throw new Error('no database')
    })
    expectErrorPage(await host.leave(), 503)
    expect(host.eventsOf('host.trouble')).toMatchObject([{ operation: 'logout', cause: expect.any(Error) }])
    expect(host.eventsOf('request.refused')).toMatchObject([{ reason: 'logout_failed' }])
  })

  it("is shown by the host's own error page, where there is one", async () => {
    const host = server(() => ({ grants: 'keep' }), {
      errorPage: (error, _req, res) => void res.status(error.status).send(`own page: ${error.code}`),
    })
    const { status, text } = await host.leave('client_id=nobody')
    expect([status, text]).toEqual([400, 'own page: invalid_request'])
  })

  it('by stale links locks out nobody: there is nothing to guess', async () => {
    const host = server(() => ({ grants: 'keep' }), {
      rateLimit: { failuresPerAddress: 2, failuresPerClient: 2 },
    })
    for (let i = 0; i < 5; i++) expectErrorPage(await host.leave('id_token_hint=old'))
    expect((await host.leave()).status).toBe(303)
  })

  it('by another method is 405, and no script of another origin comes near', async () => {
    const { app } = server(() => ({ grants: 'keep' }))
    const put = await request(app).put('/oauth/logout')
    const options = await request(app).options('/oauth/logout').set('Origin', 'https://spa.example')

    expect([put.status, put.headers.allow]).toEqual([405, 'GET, POST'])
    expect(options.status).toBe(405)
    expect(options.headers).not.toHaveProperty('access-control-allow-origin')
  })
})
