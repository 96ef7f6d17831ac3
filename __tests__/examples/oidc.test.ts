// examples/oidc as its users meet it: its pages in a Chromium without JavaScript, its settings, and scripts that rely on its
// fixed facts. What certification asks of it is in __tests__/certification.
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { type APIRequestContext, type BrowserContext, type Page, request } from 'playwright-core'
import { readClients } from '../../examples/oidc/clients'
import { hasConsented, rememberConsent } from '../../examples/oidc/consents'
import type { InteractiveRequest } from '../../lib'
import { type ClientSite, openClientSite } from '../certification/client-site'
import { type Provider, startProvider } from '../certification/provider'
import { claimsOf, headerOf, jws } from '../support/fixture'

let provider: Provider
let site: ClientSite
let context: BrowserContext
let page: Page
let http: APIRequestContext

beforeAll(async () => {
  ;[provider, site] = await Promise.all([startProvider(), openClientSite()])
})
afterAll(async () => {
  await site?.close()
  await provider?.stop()
})

beforeEach(async () => {
  context = await site.browser.newContext({ ignoreHTTPSErrors: true, javaScriptEnabled: false })
  context.setDefaultTimeout(10_000)
  page = await context.newPage()
  http = await request.newContext({ ignoreHTTPSErrors: true, maxRedirects: 0 })
})
afterEach(async () => {
  await context.close()
  await http.dispose()
})

/** What a browser says of a form on a page of another site. */
const FOREIGN = { Origin: 'https://evil.example' }

describe('the account chooser', () => {
  test('prompt=select_account: one of the accounts that the browser is signed in to', async () => {
    await page.goto(authorizationUrl({ prompt: 'consent' }))
    await logIn('bob', 'builder')
    await page.click('#other-account')
    await page.click('#other-account')
    await logIn('alice', 'wonderland')
    await expectHeading('Allow Example app?')
    expect(await page.locator('.lead').textContent()).toContain('Alice Pleasance Liddell')

    await page.goto(authorizationUrl({ prompt: 'select_account consent' }))
    await expectHeading('Choose an account')
    expect(await page.getByRole('button').allInnerTexts()).toEqual([
      'Alice Pleasance Liddell\nalice',
      'Robert James Builder\nbob',
    ])
    await page.click('#account-bob')
    await page.click('#allow')
    expect(claimsOf((await tokens()).id_token)).toMatchObject({ sub: '1002', amr: ['pwd'] })
  })

  test('a client that expects one of them gets that one, without a page, whichever is in use (OIDC Core §3.1.2.1)', async () => {
    const hints: string[] = []
    for (const [username, password] of [
      ['alice', 'wonderland'],
      ['bob', 'builder'],
    ] as const) {
      await page.goto(`${provider.origin}/login`)
      await logIn(username, password)
      await page.goto(authorizationUrl({ prompt: 'consent' }))
      await page.click('#allow')
      hints.push((await tokens()).id_token)
    }
    for (const hint of hints) {
      await page.goto(authorizationUrl({ prompt: 'none', id_token_hint: hint }))
      expect(claimsOf((await tokens()).id_token).sub).toBe(claimsOf(hint).sub)
    }
  })

  test('a client that expects another than the user chooses is told so', async () => {
    await page.goto(`${provider.origin}/login`)
    await logIn('alice', 'wonderland')
    await page.goto(`${provider.origin}/login`)
    await logIn('bob', 'builder')
    const claims = JSON.stringify({ id_token: { sub: { value: '1001' } } })
    await page.goto(authorizationUrl({ claims, prompt: 'login' }))
    await logIn('bob', 'builder')
    await page.waitForURL(`${site.redirectUri}?**`)
    expect(new URL(page.url()).searchParams.get('error')).toBe('login_required')
  })

  test('without an account it is the login', async () => {
    await page.goto(authorizationUrl({ prompt: 'select_account consent' }))
    await logIn('alice', 'wonderland')
    await expectHeading('Allow Example app?')
  })

  test('an account that the browser is not signed in to has to sign in', async () => {
    await page.goto(`${provider.origin}/login`)
    await logIn('alice', 'wonderland')
    await page.goto(`${provider.origin}/accounts?return_to=/`)
    await page.locator('#account-alice').evaluate((button) => button.setAttribute('value', '1002'))
    await page.click('#account-alice')
    await expectHeading('Sign in')
  })
})

describe('consent', () => {
  test('is asked once for each client and scope', async () => {
    const consented = async (changes: Record<string, string>) => {
      await page.goto(authorizationUrl(changes))
      const asked = await page.locator('#allow').isVisible()
      if (asked) await page.click('#allow')
      await page.waitForURL(`${site.redirectUri}?**`)
      return !asked
    }
    await page.goto(`${provider.origin}/login`)
    await logIn('bob', 'builder')
    expect(await consented({ scope: 'openid phone' })).toBe(false)
    expect(await consented({ scope: 'openid phone' })).toBe(true)
    expect(await consented({ scope: 'openid' })).toBe(true)
    expect(await consented({ scope: 'openid address' })).toBe(false)
    expect(await consented({ scope: 'openid phone address' })).toBe(true)
    expect(await consented({ scope: 'openid', client_id: 'second' })).toBe(false)
    const claims = JSON.stringify({ userinfo: { email: null } })
    expect(await consented({ scope: 'openid', claims })).toBe(false)
    expect(await consented({ scope: 'openid', claims })).toBe(true)
    expect(await consented({ scope: 'openid', resource: 'https://api.example.com/mail' })).toBe(false)
    expect(await consented({ scope: 'openid', prompt: 'consent' })).toBe(false)
  })

  test('says for whom, what and where', async () => {
    await page.goto(
      authorizationUrl({
        scope: 'openid profile email offline_access',
        claims: JSON.stringify({ userinfo: { phone_number: null }, id_token: { nickname: null } }),
        resource: 'https://api.example.com/calendar',
        prompt: 'consent',
      }),
    )
    await logIn('alice', 'wonderland')
    expect(await page.locator('#scope strong').allTextContents()).toEqual([
      'Know who you are',
      'See your profile',
      'See your email address',
      'Stay signed in',
    ])
    expect(await page.locator('#claims').textContent()).toBe('It also asks for phone_number, nickname.')
    expect(await page.locator('#resources').textContent()).toBe(
      'It will use this at https://api.example.com/calendar.',
    )
    await page.click('#allow')
    const { access_token, id_token } = await tokens()
    expect(claimsOf(access_token)).toMatchObject({ aud: 'https://api.example.com/calendar' })
    expect(claimsOf(id_token)).toMatchObject({ nickname: 'Ally' })
  })

  test('that was shown for one account is not given by another, chosen in another tab', async () => {
    await page.goto(`${provider.origin}/login`)
    await logIn('bob', 'builder')
    await page.goto(`${provider.origin}/login`)
    await logIn('alice', 'wonderland')
    await page.goto(authorizationUrl({ prompt: 'consent' }))
    expect(await page.locator('.lead').textContent()).toContain('Alice Pleasance Liddell')

    const other = await context.newPage()
    await other.goto(`${provider.origin}/accounts?return_to=/`)
    await other.click('#account-bob')
    await page.click('#allow')
    expect(await page.getByRole('alert').textContent()).toBe('That answer was too old. Please decide again.')
    expect(await page.locator('.lead').textContent()).toContain('Robert James Builder')

    await other.goto(provider.origin)
    await other.click('#sign-out')
    await page.click('#allow')
    expect(await page.getByRole('alert').textContent()).toBe('That answer was too old. Please decide again.')
    expect(await page.locator('.lead').textContent()).toContain('Alice Pleasance Liddell')
    await page.click('#allow')
    expect(claimsOf((await tokens()).id_token)).toMatchObject({ sub: '1001' })
  })

  test('of a public client is asked each time: another app may ask in its name (RFC 6749 §10.2, RFC 8252 §8.6)', () => {
    for (const [method, remembered] of [
      ['none', false],
      ['client_secret_basic', true],
    ]) {
      const client = { client_id: `by ${method}`, token_endpoint_auth_method: method }
      const asking = { client, asksFor: ['openid'] } as unknown as InteractiveRequest
      rememberConsent('alice', asking)
      expect(hasConsented('alice', asking)).toBe(remembered)
    }
  })

  test('may be denied, and is asked again', async () => {
    for (const _ of ['first', 'again']) {
      await page.goto(authorizationUrl({ scope: 'openid phone', client_id: 'post', state: 'the-state' }))
      if (await page.locator('#login').isVisible()) await logIn('alice', 'wonderland')
      await page.click('#deny')
      await page.waitForURL(`${site.redirectUri}?**`)
      expect(Object.fromEntries(new URL(page.url()).searchParams)).toEqual({
        error: 'access_denied',
        error_description: 'The request was denied.',
        state: 'the-state',
        iss: provider.issuer,
      })
    }
  })
})

test('form_post without JavaScript: a button posts the response', async () => {
  await page.goto(authorizationUrl({ response_mode: 'form_post', prompt: 'consent', state: 'the-state' }))
  await logIn('alice', 'wonderland')
  await page.click('#allow')
  await page.click('#continue')
  await page.waitForURL(site.redirectUri)
  expect(site.takeVisit()).toMatchObject({ method: 'POST', body: expect.stringContaining('state=the-state') })
})

test('a wrong password is said, and the username is kept', async () => {
  await page.goto(authorizationUrl())
  await logIn('alice', 'looking-glass')
  expect(await page.getByRole('alert').textContent()).toBe('Username or password is wrong.')
  expect(await page.getByLabel('Username').inputValue()).toBe('alice')
})

test('signing out ends the session', async () => {
  await page.goto(`${provider.origin}/login`)
  await logIn('alice', 'wonderland')
  await expectHeading('Hello, Alice Pleasance Liddell')
  await page.click('#sign-out')
  await expectHeading('An OpenID Connect server')
})

test('the error page says what is wrong, and leads nowhere (RFC 6749 §4.1.2.1)', async () => {
  const answer = await http.get(authorizationUrl({ client_id: 'nobody' }))
  expect(answer.status()).toBe(400)
  expect(answer.headers()).toMatchObject({
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'x-frame-options': 'DENY',
    'content-security-policy': expect.stringContaining("default-src 'none'"),
  })
  expect(await answer.text()).toContain(
    '<p id="error">The client is unknown. <code>invalid_request</code></p>',
  )
})

test('every page is plain: a language, a title, one heading, a label for each field, no script, room on a phone', async () => {
  await page.setViewportSize({ width: 320, height: 640 })
  const looked: string[] = []
  const look = async () => {
    looked.push(await page.title())
    expect(await page.locator('html').getAttribute('lang')).toBe('en')
    expect(await page.locator('h1').count()).toBe(1)
    expect(await page.locator('script, [onclick], [style]').count()).toBe(0)
    for (const field of await page.locator('input:not([type=hidden])').all()) {
      expect(await page.locator(`label[for="${await field.getAttribute('id')}"]`).count()).toBe(1)
    }
    for (const button of await page.locator('button').all()) {
      expect(await button.getAttribute('id')).toMatch(/^[\w-]+$/)
    }
    const [width, room] = (await page.evaluate(
      '[document.documentElement.scrollWidth, innerWidth]',
    )) as number[]
    expect(width).toBeLessThanOrEqual(room as number)
  }
  await page.goto(provider.origin)
  await look()
  await page.goto(authorizationUrl({ prompt: 'consent' }))
  await look()
  await logIn('alice', 'looking-glass')
  await look()
  await logIn('alice', 'wonderland')
  await look()
  await page.click('#other-account')
  await look()
  await page.goto(provider.origin)
  await look()
  await page.goto(authorizationUrl({ redirect_uri: 'https://evil.example/' }))
  await look()
  await page.goto(`${provider.origin}/nothing`)
  await look()
  expect(looked.map((title) => title.replace(' · Example accounts', ''))).toEqual([
    'Start',
    'Sign in',
    'Sign in',
    'Allow Example app?',
    'Choose an account',
    'Start',
    'This cannot go on',
    'Nothing here',
  ])
})

describe('forms', () => {
  test('one that another site sends changes nothing', async () => {
    const url = authorizationUrl({ prompt: 'consent' })
    await page.goto(url)
    await logIn('alice', 'wonderland')
    const form = { username: 'bob', password: 'builder', account: '1001', decision: 'allow' }
    const options = { form, headers: FOREIGN, maxRedirects: 0 }
    for (const path of ['/login', '/accounts', '/sign-out']) {
      const answer = await context.request.post(provider.origin + path, options)
      expect(answer.status()).toBe(403)
    }
    for (const asking of [url, `${provider.issuer}/logout?client_id=basic`]) {
      const answer = await context.request.post(asking, options)
      expect(answer.status()).toBe(200)
      expect(await answer.text()).toContain('Please decide again.')
    }
    await page.goto(provider.origin)
    await expectHeading('Hello, Alice Pleasance Liddell')
  })

  test.each(['https://example.com/', '//example.com', '/\\example.com', '/.//example.com'])(
    'a login leads back to this app only, not to %s',
    async (elsewhere) => {
      const query = new URLSearchParams({ return_to: elsewhere })
      const { location = '' } = (await http.get(`${provider.origin}/accounts?${query}`)).headers()
      const login = new URL(location, provider.origin)
      const back = new URL(login.searchParams.get('return_to') ?? '', provider.origin)
      expect([login.origin, back.origin]).toEqual([provider.origin, provider.origin])
    },
  )
})

describe('another ISSUER, without a path, and a CLIENTS_FILE', () => {
  const issuer = 'https://op.example'
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const auth = { Authorization: `Basic ${btoa('own:own-secret')}` }
  let directory: string
  let other: Provider

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'oidc-'))
    const file = join(directory, 'clients.json')
    const client = {
      client_id: 'own',
      client_secret: 'own-secret',
      redirect_uris: [site.redirectUri],
      id_token_signed_response_alg: 'ES256',
      jwks: { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: '1', alg: 'ES256', use: 'sig' }] },
    }
    writeFileSync(file, JSON.stringify([client]))
    other = await startProvider({ ISSUER: issuer, CLIENTS_FILE: file })
  })
  afterAll(async () => {
    await other?.stop()
    rmSync(directory, { recursive: true })
  })

  test('it is said, is what the certificate is for, and where discovery is', async () => {
    expect(other.printed()).toContain('ready https://op.example')
    expect(await certificateNames(Number(new URL(other.address).port))).toContain('DNS:op.example')
    const metadata = await http.get(`${other.address}/.well-known/openid-configuration`)
    expect(await metadata.json()).toMatchObject({
      issuer,
      authorization_endpoint: `${issuer}/authorize`,
      userinfo_endpoint: `${issuer}/userinfo`,
      end_session_endpoint: `${issuer}/logout`,
      pushed_authorization_request_endpoint: `${issuer}/par`,
      request_parameter_supported: true,
    })
  })

  test('a client of the file pushes its request (RFC 9126)', async () => {
    const form = { client_id: 'own', ...asked() }
    const pushed = await http.post(`${other.address}/par`, { headers: auth, form })
    expect(pushed.status()).toBe(201)
    await expectTokens({ request_uri: (await pushed.json()).request_uri })
  })

  test('a client of the file signs its request (RFC 9101)', async () => {
    const exp = Math.floor(Date.now() / 1000) + 60
    const request = jws(
      { alg: 'ES256', kid: '1', typ: 'oauth-authz-req+jwt' },
      { iss: 'own', client_id: 'own', aud: issuer, exp, ...asked() },
      (input) => sign('sha256', input, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
    )
    await expectTokens({ request })
  })

  test('guessing passwords is slowed down', async () => {
    const statuses = new Set<number>()
    for (let i = 0; i < 21; i++)
      statuses.add((await http.post(`${other.address}/login`, { headers: FOREIGN })).status())
    expect([...statuses]).toEqual([403, 429])
  })

  function asked(): Record<string, string> {
    return { response_type: 'code', redirect_uri: site.redirectUri, scope: 'openid' }
  }

  async function expectTokens(parameters: Record<string, string>): Promise<void> {
    const login = { username: 'alice', password: 'wonderland' }
    expect((await http.post(`${other.address}/login`, { form: login })).status()).toBe(303)
    const url = `${other.address}/authorize?${new URLSearchParams({ client_id: 'own', ...parameters })}`
    const answer = await http.post(url, { form: { decision: 'allow' } })
    expect(answer.status()).toBe(303)
    const code = new URL(answer.headers().location as string).searchParams.get('code') ?? ''
    const form = { grant_type: 'authorization_code', code, redirect_uri: site.redirectUri }
    const exchanged = await http.post(`${other.address}/token`, { headers: auth, form })
    expect(exchanged.status()).toBe(200)
    const { id_token } = await exchanged.json()
    expect(headerOf(id_token)).toMatchObject({ alg: 'ES256' })
    expect(claimsOf(id_token)).toMatchObject({ iss: issuer, aud: 'own', sub: '1001' })
  }
})

describe('settings', () => {
  test.each([
    { what: 'is not there', content: undefined, said: /^CLIENTS_FILE cannot be read: ENOENT/ },
    { what: 'is no JSON', content: '[', said: /^CLIENTS_FILE cannot be read: / },
    { what: 'holds no list', content: '{}', said: /^CLIENTS_FILE holds no list of clients: / },
    { what: 'holds something else', content: '[1]', said: /^CLIENTS_FILE holds no list of clients: / },
  ])('a CLIENTS_FILE that $what is told', ({ content, said }) => {
    const directory = mkdtempSync(join(tmpdir(), 'oidc-'))
    const file = join(directory, 'clients.json')
    if (content !== undefined) writeFileSync(file, content)
    try {
      expect(() => readClients(file)).toThrow(said)
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  test('DATA_FILE and the secrets: nothing is forgotten over a restart', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'oidc-'))
    const pem = ({ privateKey }: { privateKey: KeyObject }) =>
      privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    const env = {
      DATA_FILE: join(directory, 'oidc.db'),
      OAUTH_SECRET: 'a-secret-of-at-least-thirty-two-bytes!',
      OAUTH_RSA_KEY: pem(generateKeyPairSync('rsa', { modulusLength: 2048 })),
      OAUTH_EC_KEY: pem(generateKeyPairSync('ec', { namedCurve: 'P-256' })),
      ISSUER: 'https://op.example/oauth',
    }
    const auth = { Authorization: `Basic ${btoa('basic:basic-secret')}` }
    try {
      const first = await startProvider(env)
      const login = { username: 'alice', password: 'wonderland' }
      await http.post(`${first.address}/login`, { form: login })
      const asked = new URLSearchParams({
        client_id: 'basic',
        response_type: 'code',
        redirect_uri: site.redirectUri,
        scope: 'openid offline_access',
      })
      const form = { decision: 'allow' }
      const answer = await http.post(`${first.address}/oauth/authorize?${asked}`, { form })
      const code = new URL(answer.headers().location as string).searchParams.get('code') ?? ''
      const exchanged = await http.post(`${first.address}/oauth/token`, {
        headers: auth,
        form: { grant_type: 'authorization_code', code, redirect_uri: site.redirectUri },
      })
      const { refresh_token, access_token } = await exchanged.json()
      expect(await first.stop()).toBe(0)

      const second = await startProvider(env)
      const refreshed = await http.post(`${second.address}/oauth/token`, {
        headers: auth,
        form: { grant_type: 'refresh_token', refresh_token },
      })
      expect(refreshed.status()).toBe(200)
      const userinfo = await http.get(`${second.address}/oauth/userinfo`, {
        headers: { Authorization: `Bearer ${access_token}` },
      })
      expect(await userinfo.json()).toEqual({ sub: '1001' })
      await second.stop()
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})

function authorizationUrl(changes: Record<string, string> = {}): string {
  const parameters = new URLSearchParams({
    client_id: 'basic',
    redirect_uri: site.redirectUri,
    response_type: 'code',
    scope: 'openid',
    ...changes,
  })
  return `${provider.issuer}/authorize?${parameters}`
}

async function logIn(username: string, password: string): Promise<void> {
  await page.fill('#username', username)
  await page.fill('#password', password)
  await page.click('#sign-in')
}

async function expectHeading(text: string): Promise<void> {
  await page.getByRole('heading', { level: 1, name: text, exact: true }).waitFor()
}

/** For the code that the page has arrived with, as the client `basic`. */
async function tokens(): Promise<{ access_token: string; id_token: string }> {
  await page.waitForURL(`${site.redirectUri}?**`)
  const answer = await http.post(`${provider.issuer}/token`, {
    headers: { Authorization: `Basic ${btoa('basic:basic-secret')}` },
    form: {
      grant_type: 'authorization_code',
      code: new URL(page.url()).searchParams.get('code') ?? '',
      redirect_uri: site.redirectUri,
    },
  })
  expect(answer.status()).toBe(200)
  return answer.json()
}

function certificateNames(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().subjectaltname ?? '')
      socket.destroy()
    }).once('error', reject)
  })
}
