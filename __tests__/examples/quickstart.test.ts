// The quickstart as its users meet it: a process of its own, a real Chromium, and scripts that rely on its fixed facts.
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, BrowserContext, Locator, Page } from 'playwright-core'
import { launchChromium } from '../support/chromium'
import { startRedis } from '../support/redis-server'

let browser: Browser
let quickstart: Quickstart
let context: BrowserContext
let page: Page
/** What went wrong in the page without anybody looking: its console, its exceptions. */
let complaints: string[]

beforeAll(async () => {
  ;[browser, quickstart] = await Promise.all([launchChromium(), startQuickstart({ OVERLAP: '0' })])
})

afterAll(async () => {
  await browser?.close()
  await quickstart?.stop()
})

beforeEach(async () => {
  context = await browser.newContext()
  context.setDefaultTimeout(10_000)
  page = await context.newPage()
  complaints = []
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('console', (message) => {
    // Chromium logs each answer of 400 and above as an error; the page shows those itself.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) {
      complaints.push(message.text())
    }
  })
})

afterEach(async () => {
  await context.close()
  expect(complaints).toEqual([])
})

/** What a browser says of a form on a page of another site. */
const FOREIGN = { Origin: 'https://evil.example' }

describe('the page', () => {
  test('says what it is before anything was done', async () => {
    await page.goto(quickstart.origin)
    await page.getByRole('button', { name: 'Sign in' }).waitFor()
    expect(await page.getByText('Nothing yet.').isVisible()).toBe(true)
    expect(await page.getByRole('button', { name: 'Refresh' }).isVisible()).toBe(false)
  })

  test('signs in by login and consent, and shows all three tokens with their lifetimes running', async () => {
    await signIn()
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('Hello, Alice Liddell')
    expect(new URL(page.url()).pathname + new URL(page.url()).search).toBe('/')
    expect(await claim('access-token', 'aud')).toBe(quickstart.issuer)
    expect(await claim('access-token', 'scope')).toBe('openid offline_access profile')
    expect(await claim('id-token', 'sub')).toBe('alice')
    expect(await claim('id-token', 'name')).toBe('Alice Liddell')
    expect(await state('refresh-token')).toBe('active')

    const left = card('access-token').locator('[data-part="left"]')
    const before = (await left.textContent()) ?? ''
    expect(before).toMatch(/^(?:10:00|09:5\d)$/)
    await left.filter({ hasNotText: before }).waitFor()
    expect(await card('refresh-token').locator('[data-part="left"]').textContent()).toMatch(
      /^29 d 23:59:\d\d$/,
    )
  })

  test('keeps its tokens over a reload, and loses them with the tab', async () => {
    await signIn()
    await page.reload()
    await page.getByRole('heading', { name: 'Hello, Alice Liddell' }).waitFor()
    const otherTab = await context.newPage()
    await otherTab.goto(quickstart.origin)
    await otherTab.getByRole('button', { name: 'Sign in' }).waitFor()
  })

  test('calls the API, which learns who is asking', async () => {
    await signIn()
    await page.getByRole('button', { name: 'Call the API' }).click()
    await outcome('The API answered.')
    const answer = JSON.parse((await page.locator('#outcome pre').textContent()) ?? '')
    expect(answer).toEqual({
      id: 'alice',
      name: 'Alice Liddell',
      askedBy: 'spa',
      scope: 'openid offline_access profile',
    })
    await logged('GET /api/me', '200')
  })

  test('refreshes: every token is a new one, and the user stays the same', async () => {
    await signIn()
    const before = await rawTokens()
    await page.getByRole('button', { name: 'Refresh' }).click()
    await outcome('Refreshed.')
    const after = await rawTokens()
    for (const [i, token] of after.entries()) expect(token).not.toBe(before[i])
    expect(await claim('id-token', 'sub')).toBe('alice')
    await logged('POST /oauth/token', '200', 'grant_type=refresh_token')
  })

  test('revokes: from then on neither the API nor the token endpoint takes what is left', async () => {
    await signIn()
    await page.getByRole('button', { name: 'Revoke' }).click()
    await outcome('Revoked.')
    expect(await state('access-token')).toBe('revoked')
    expect(await state('refresh-token')).toBe('revoked')

    await page.getByRole('button', { name: 'Call the API' }).click()
    await outcome('invalid_token')
    await logged('GET /api/me', '401')
    await page.getByRole('button', { name: 'Refresh' }).click()
    await outcome('invalid_grant')
    await logged('POST /oauth/token', '400', 'grant_type=refresh_token')
  })

  test('signs out: the grant, the tokens in the tab and the session at the host end', async () => {
    await signIn()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('button', { name: 'Sign in' }).waitFor()
    await logged('POST /oauth/revoke', '200')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByLabel('Username').waitFor()
  })

  test('shows access_denied when the user says no, and offers to begin again', async () => {
    await page.goto(quickstart.origin)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await logIn(page)
    await page.getByRole('button', { name: 'Deny' }).click()
    await outcome('access_denied')
    await page.getByRole('button', { name: 'Sign in' }).waitFor()
    expect(await page.locator('#activity').textContent()).not.toContain('/oauth/token')
  })

  test('asks for consent each time, and for the password once per session', async () => {
    await signIn()
    const again = await context.newPage()
    await again.goto(quickstart.origin)
    await again.getByRole('button', { name: 'Sign in' }).click()
    await again.getByRole('button', { name: 'Allow' }).click()
    await again.getByRole('heading', { name: 'Hello, Alice Liddell' }).waitFor()
  })

  test('takes no response that it did not ask for', async () => {
    await page.goto(`${quickstart.origin}/callback?code=stolen&state=guessed&iss=${quickstart.issuer}`)
    await outcome('That did not work.')
    expect(complaints.splice(0).join()).toContain('No sign-in was begun in this tab.')
    expect(page.url()).toBe(`${quickstart.origin}/`)
  })
})

describe('the devices page', () => {
  test('asks who it is first, and comes back', async () => {
    await page.goto(`${quickstart.origin}/devices`)
    await logIn(page)
    await page.waitForURL(`${quickstart.origin}/devices`)
    await page.getByRole('heading', { name: 'Signed-in devices' }).waitFor()
  })

  test('ends a grant, whose next refresh is refused with invalid_grant', async () => {
    await endAllDevices()
    await signIn()
    await page.getByRole('link', { name: 'Devices' }).click()
    const device = page.getByRole('listitem')
    expect(await device.count()).toBe(1)
    expect(await device.textContent()).toMatch(
      /Chrome on Linux\s+Quickstart page\s+openidoffline_accessprofile/,
    )
    await device.getByRole('button', { name: /^End Quickstart page/ }).click()
    await page.getByText('No app is signed in for you').waitFor()

    await page.getByRole('link', { name: 'Tokens' }).click()
    await page.getByRole('button', { name: 'Refresh' }).click()
    await outcome('invalid_grant')
    expect(await state('refresh-token')).toBe('revoked')
  })

  test('ends all grants at once', async () => {
    await signIn()
    const otherTab = await context.newPage()
    await signIn(otherTab)
    await page.getByRole('link', { name: 'Devices' }).click()
    await page.getByRole('button', { name: 'End all' }).click()
    await page.getByText('No app is signed in for you').waitFor()
  })
})

describe('without JavaScript', () => {
  beforeEach(async () => {
    await context.close()
    context = await browser.newContext({ javaScriptEnabled: false })
    context.setDefaultTimeout(10_000)
    page = await context.newPage()
  })

  test('login and consent end at the registered redirect URI with code, state and iss', async () => {
    const { url } = authorizationUrl('spa')
    const response = await allow(url)
    expect(response.origin + response.pathname).toBe(SCRIPT_REDIRECT_URI)
    expect([...response.searchParams.keys()].sort()).toEqual(['code', 'iss', 'state'])
    expect(response.searchParams.get('state')).toBe('the-state')
    expect(response.searchParams.get('iss')).toBe(quickstart.issuer)
  })

  test('a denial ends there as well, with error, state and iss', async () => {
    const { url } = authorizationUrl('spa')
    await page.goto(url)
    await logIn(page)
    const response = await decide('Deny')
    expect(response.searchParams.get('error')).toBe('access_denied')
    expect(response.searchParams.get('state')).toBe('the-state')
    expect(response.searchParams.get('iss')).toBe(quickstart.issuer)
  })

  test.each([
    { clientId: 'web', method: 'client_secret_basic', secret: 'web-secret' },
    { clientId: 'post', method: 'client_secret_post', secret: 'post-secret' },
  ])('the client $clientId exchanges its code by $method', async ({ clientId, method, secret }) => {
    const { url, codeVerifier } = authorizationUrl(clientId)
    const code = (await allow(url)).searchParams.get('code') ?? ''
    const basic = method === 'client_secret_basic'
    const response = await fetch(`${quickstart.issuer}/token`, {
      method: 'POST',
      headers: basic ? { Authorization: `Basic ${btoa(`${clientId}:${secret}`)}` } : {},
      body: new URLSearchParams({
        grant_type: 'authorization_code',
        code,
        redirect_uri: SCRIPT_REDIRECT_URI,
        code_verifier: codeVerifier,
        ...(!basic && { client_id: clientId, client_secret: secret }),
      }),
    })
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({
      access_token: expect.any(String),
      id_token: expect.any(String),
      refresh_token: expect.any(String),
      token_type: 'Bearer',
      scope: 'openid offline_access profile',
    })
  })

  test('the consent page shows all that is asked for: claims by name and APIs, too', async () => {
    const claims = JSON.stringify({ userinfo: { email: null, nickname: null }, id_token: { name: null } })
    const url = new URL(authorizationUrl('web').url)
    url.searchParams.set('scope', 'openid')
    url.searchParams.set('claims', claims)
    url.searchParams.set('resource', quickstart.issuer)
    await page.goto(url.href)
    await logIn(page)
    expect(await page.locator('.scope').allInnerTexts()).toEqual([
      'Know who you are\nA lasting name for you, and when you signed in',
      'See one detail about you\nnickname',
      'See one detail about you\nname',
      `Use it in your name\n${quickstart.issuer}`,
    ])
  })

  test('a wrong password is said, and the username is kept', async () => {
    await page.goto(authorizationUrl('spa').url)
    await logIn(page, 'looking-glass')
    expect(await page.getByRole('alert').textContent()).toBe('Username or password is wrong.')
    expect(await page.getByLabel('Username').inputValue()).toBe('alice')
  })

  test('a client may ask for a fresh login, and gets it once (OpenID Connect Core §3.1.2.1)', async () => {
    await allow(authorizationUrl('spa').url)
    for (const asked of ['prompt=login', 'max_age=0']) {
      await page.goto(`${authorizationUrl('spa').url}&${asked}`)
      await logIn(page)
      expect((await decide('Allow')).searchParams.has('code')).toBe(true)
    }
  })

  test('a client may ask for no page at all, and is told that there would be one', async () => {
    const response = page.waitForRequest((sent) => sent.url().startsWith(SCRIPT_REDIRECT_URI))
    await page.goto(`${authorizationUrl('spa').url}&prompt=none`).catch(() => undefined)
    expect(new URL((await response).url()).searchParams.get('error')).toBe('login_required')
  })

  test('a login leads back to this app only', async () => {
    for (const elsewhere of ['https://example.com/', '//example.com', '/\\example.com', '/.//example.com']) {
      await page.goto(`${quickstart.origin}/login?return_to=${encodeURIComponent(elsewhere)}`)
      await logIn(page)
      expect(new URL(page.url()).origin).toBe(quickstart.origin)
    }
  })

  test.each(['/login', '/devices/end', '/devices/end-all', '/logout'])(
    'a form that another site sends to %s changes nothing',
    async (path) => {
      await page.goto(`${quickstart.origin}/devices`)
      await logIn(page)
      const forged = { username: 'alice', password: 'wonderland', id: 'any' }
      const response = await context.request.post(quickstart.origin + path, {
        form: forged,
        headers: FOREIGN,
      })
      expect(response.status()).toBe(403)
      await page.reload()
      expect(await page.getByText('Alice Liddell').isVisible()).toBe(true)
    },
  )

  test('a decision that another site sends is no decision', async () => {
    const { url } = authorizationUrl('spa')
    await page.goto(url)
    await logIn(page)
    const response = await context.request.post(url, {
      form: { decision: 'allow' },
      headers: FOREIGN,
      maxRedirects: 0,
    })
    expect(response.status()).toBe(403)
    expect(await response.text()).toContain('Please decide again.')
  })
})

test('a script that follows redirects and keeps cookies signs in with the fields that are named, and no others', async () => {
  const script = context.request
  const { url } = authorizationUrl('web')
  const login = await script.get(url)
  const consent = await script.post(login.url(), { form: { username: 'alice', password: 'wonderland' } })
  const answer = await script.post(consent.url(), { form: { decision: 'allow' }, maxRedirects: 0 })
  expect(answer.status()).toBe(303)
  expect(answer.headers().location).toMatch(/^http:\/\/127\.0\.0\.1:3999\/callback\?code=[\w-]{52}&/)
})

describe('the process', () => {
  test('ends on SIGTERM, but answers what is in flight first', async () => {
    const other = await startQuickstart()
    const body = 'grant_type=refresh_token&refresh_token=made-up&client_id=spa'
    const inFlight = request(`${other.issuer}/token`, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/x-www-form-urlencoded',
        'Content-Length': body.length,
        Expect: '100-continue', // the answer to it says that the request has reached the app
      },
    })
    inFlight.flushHeaders()
    await once(inFlight, 'continue')
    const stopped = other.stop()
    await refused(other.origin)
    inFlight.end(body)
    const [response] = await once(inFlight, 'response')
    expect(response.statusCode).toBe(400)
    response.resume()
    expect(await stopped).toBe(0)
  })

  test('says where it is, then that it is ready', async () => {
    const lines = quickstart.printed()
    expect(lines.find((line) => line.includes('Open'))).toContain(quickstart.origin)
    expect(lines).toContain(`ready ${quickstart.origin}`)
  })

  test('stops who fails too often, unless RATE_LIMIT is off', async () => {
    const limited = await startQuickstart()
    const unlimited = await startQuickstart({ RATE_LIMIT: 'off' })
    try {
      expect(await failingRequests(limited)).toEqual([400, 429])
      expect(await failingRequests(unlimited)).toEqual([400])
    } finally {
      await Promise.all([limited.stop(), unlimited.stop()])
    }
  })

  test.each(['REDIS_URL', 'DATA_FILE'])(
    'forgets nothing over a restart where %s and the secrets are given',
    async (name) => {
      const redis = await startRedis()
      const directory = mkdtempSync(join(tmpdir(), 'quickstart-'))
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const env = {
        [name]: name === 'REDIS_URL' ? redis.url : join(directory, 'oauth.db'),
        OAUTH_SECRET: randomBytes(32).toString('base64url'),
        OAUTH_SIGNING_KEY: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      }
      let other = await startQuickstart(env)
      try {
        expect(other.printed().join('\n')).toContain(`by ${name}`)
        await page.goto(other.origin)
        await page.getByRole('button', { name: 'Sign in' }).click()
        await logIn(page)
        await page.getByRole('button', { name: 'Allow' }).click()
        await outcome('Signed in.')

        await other.stop()
        other = await startQuickstart({ ...env, PORT: new URL(other.origin).port })
        await page.getByRole('button', { name: 'Call the API' }).click()
        await outcome('The API answered.')
        await page.getByRole('button', { name: 'Refresh' }).click()
        await outcome('Refreshed.')
      } finally {
        await other.stop()
        await redis.stop()
        rmSync(directory, { recursive: true })
      }
    },
  )
})

const SCRIPT_REDIRECT_URI = 'http://127.0.0.1:3999/callback'

interface Quickstart {
  readonly origin: string
  readonly issuer: string
  printed(): string[]
  /** Sends SIGTERM and gives the exit code. */
  stop(): Promise<number | null>
}

/** As `npm start` does, after its build. */
async function startQuickstart(env: Record<string, string> = {}): Promise<Quickstart> {
  const port = env.PORT ?? (await freePort())
  const root = join(__dirname, '../..')
  const child = spawn(process.execPath, ['--import', 'tsx', 'examples/quickstart/server.ts'], {
    cwd: root,
    env: { PATH: process.env.PATH, ...env, PORT: String(port) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  await new Promise<void>((resolve, reject) => {
    const onOutput = (chunk: Buffer) => {
      output += chunk
      if (/^ready /m.test(output)) resolve()
    }
    child.stdout.on('data', onOutput)
    child.stderr.on('data', onOutput)
    child.once('exit', (code) => reject(new Error(`The quickstart ended with ${code}:\n${output}`)))
  })
  const origin = `http://localhost:${port}`
  return { origin, issuer: `${origin}/oauth`, printed: () => output.split('\n'), stop: () => stop(child) }
}

async function stop(child: ChildProcess): Promise<number | null> {
  const exit = once(child, 'exit')
  child.kill('SIGTERM')
  const [code] = await exit
  return code
}

/** Waits until nobody takes connections there any more. */
async function refused(origin: string): Promise<void> {
  for (;;) {
    const listening = await fetch(`${origin}/assets/icon.svg`).then(
      () => true,
      () => false,
    )
    if (!listening) return
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** The statuses of more failures than the default limits allow. */
async function failingRequests({ issuer }: Quickstart): Promise<number[]> {
  const statuses = new Set<number>()
  for (let i = 0; i < 130; i++) {
    const body = new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: 'made-up',
      client_id: 'spa',
    })
    statuses.add((await fetch(`${issuer}/token`, { method: 'POST', body })).status)
  }
  return [...statuses].sort()
}

async function signIn(tab: Page = page): Promise<void> {
  await tab.goto(quickstart.origin)
  await tab.getByRole('button', { name: 'Sign in' }).click()
  const username = tab.getByLabel('Username')
  const allow = tab.getByRole('button', { name: 'Allow' })
  await username.or(allow).waitFor()
  if (await username.isVisible()) await logIn(tab)
  await allow.click()
  await tab.getByRole('heading', { name: /^Hello/ }).waitFor()
}

async function logIn(tab: Page, password = 'wonderland'): Promise<void> {
  await tab.locator('input[name=username]').fill('alice')
  await tab.locator('input[name=password]').fill(password)
  await tab.getByRole('button', { name: 'Sign in' }).click()
}

/** The tests before have left some. */
async function endAllDevices(): Promise<void> {
  await page.goto(`${quickstart.origin}/devices`)
  await logIn(page)
  const end = page.getByRole('button', { name: /^End/ }).first()
  while (await end.isVisible()) await end.click()
}

const card = (id: string): Locator => page.locator(`#${id}`)

const state = (id: string): Promise<string | null> => card(id).locator('[data-part="state"]').textContent()

const claim = (id: string, name: string): Promise<string | null> =>
  card(id).locator(`dt:text-is("${name}") + dd`).textContent()

async function rawTokens(): Promise<string[]> {
  return card('access-token').or(card('id-token')).or(card('refresh-token')).locator('.raw').allTextContents()
}

/** Waits until the page says so. */
async function outcome(title: string): Promise<void> {
  await page.getByRole('status').getByText(title, { exact: true }).waitFor()
}

/** Waits until the log of activity begins with this. */
async function logged(...texts: string[]): Promise<void> {
  const newest = page
    .locator('#activity li')
    .filter({ hasText: texts[0] as string })
    .first()
  for (const text of texts) await newest.getByText(text).first().waitFor()
}

/** What a client of its own would send the browser to. */
function authorizationUrl(clientId: string): { url: string; codeVerifier: string } {
  const codeVerifier = randomBytes(32).toString('base64url')
  const parameters = new URLSearchParams({
    client_id: clientId,
    redirect_uri: SCRIPT_REDIRECT_URI,
    response_type: 'code',
    scope: 'openid offline_access profile',
    state: 'the-state',
    code_challenge: createHash('sha256').update(codeVerifier).digest('base64url'),
    code_challenge_method: 'S256',
  })
  return { url: `${quickstart.issuer}/authorize?${parameters}`, codeVerifier }
}

async function allow(url: string): Promise<URL> {
  await page.goto(url)
  await logIn(page)
  return decide('Allow')
}

/** Nobody listens at the redirect URI: that the browser goes there is all there is to see. */
async function decide(decision: 'Allow' | 'Deny'): Promise<URL> {
  const redirect = page.waitForRequest((sent) => sent.url().startsWith(SCRIPT_REDIRECT_URI))
  await page.getByRole('button', { name: decision }).click()
  const url = (await redirect).url()
  await page.waitForURL('chrome-error://chromewebdata/')
  return new URL(url)
}
