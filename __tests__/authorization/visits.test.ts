// The cookie by which a browser that comes back from a login is known again.
import type { AuthorizeFunction } from '../../lib'
import { fixture, ISSUER, SECRET } from '../support/fixture'

let clock = Date.parse('2026-05-04T10:00:00Z')
const started: Date[] = []
const authorize: AuthorizeFunction = ({ startedAt }, _req, res) => {
  started.push(startedAt)
  res.cookie('session', 'of the host').send('a page')
}

function server(options: Parameters<typeof fixture>[0] = {}) {
  return fixture({ authorize, now: () => clock, ...options })
}

/** The library's cookie of an answer, with its attributes; the host's own stays beside it. */
function cookieOf({ headers }: { headers: Record<string, unknown> }): string {
  const cookies = [headers['set-cookie'] ?? []].flat().map(String)
  return cookies.find((cookie) => cookie.startsWith('oauth_visits=')) ?? ''
}
const pairOf = (cookie: string) => cookie.split(';')[0] as string

/** When this request counts as begun, for a browser with this cookie that comes a minute later. */
async function startedWith(cookie: string, overrides: Record<string, string> = {}, on = server()) {
  clock += 60_000
  await on.authorize(overrides).set('Cookie', cookie)
  return (clock - (started.at(-1)?.getTime() ?? 0)) / 1000
}

describe('a browser that comes back', () => {
  it('is known by a cookie that no script reads, and that goes nowhere else (RFC 6265 §5.2)', async () => {
    const response = await server().authorize()
    expect(cookieOf(response)).toMatch(
      /^oauth_visits=[\w-]{43}; Max-Age=3600; Path=\/oauth\/authorize; HttpOnly; SameSite=Lax$/,
    )
    expect(response.headers['set-cookie']).toHaveLength(2)
    const https = server({ issuer: 'https://app.example/oauth' })
    expect(cookieOf(await https.authorize())).toMatch(/; Secure$/)
  })

  it('began when it came first, with the very same request only', async () => {
    const cookie = pairOf(cookieOf(await server().authorize({ prompt: 'login' })))
    expect(await startedWith(cookie, { prompt: 'login' })).toBe(60)
    expect(await startedWith(cookie, { prompt: 'login', state: 'another' })).toBe(0)
    expect(await startedWith('', { prompt: 'login' })).toBe(0)
  })

  it('is known beside other cookies, and after the host changed its secret', async () => {
    const cookie = pairOf(cookieOf(await server().authorize()))
    expect(await startedWith(`a=b; ${cookie}; c=d`)).toBe(60)
    const secret = ['a new secret of at least thirty-two bytes', SECRET]
    expect(await startedWith(cookie, {}, server({ secret }))).toBe(120)
    expect(await startedWith(cookie, {}, server({ secret: secret.slice(0, 1) }))).toBe(0)
  })

  it('is not known for ever', async () => {
    const cookie = pairOf(cookieOf(await server().authorize()))
    clock += 3600_000
    expect(await startedWith(cookie)).toBe(0)
  })

  it('is known at a server whose clock is behind, and never began later than now: a login would not help', async () => {
    const ahead = server({ now: () => clock + 300_000 })
    const cookie = pairOf(cookieOf(await ahead.authorize({ prompt: 'login' })))
    const on = server()
    const again = await on.authorize({ prompt: 'login' }).set('Cookie', cookie)
    expect(started.at(-1)?.getTime()).toBe(clock)
    expect(pairOf(cookieOf(again))).toMatch(/^oauth_visits=[\w-]{43}$/)
    expect(await startedWith(pairOf(cookieOf(again)), { prompt: 'login' }, on)).toBe(60)
  })

  it('can move no visit to another time, request or server', async () => {
    const [name, value] = pairOf(cookieOf(await server().authorize())).split('=') as [string, string]
    for (let bit = 0; bit < 32 * 8; bit++) {
      const bytes = Buffer.from(value, 'base64url')
      bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7))
      expect(await startedWith(`${name}=${bytes.toString('base64url')}`)).toBe(0)
    }
    const other = server({ issuer: `${ISSUER}2`, mountPath: '/oauth' })
    expect(await startedWith(`${name}=${value}`, {}, other)).toBe(0)
  })

  it('may have eight requests open at once', async () => {
    let cookie = ''
    for (let i = 0; i < 9; i++)
      cookie = pairOf(
        cookieOf(
          await server()
            .authorize({ state: `${i}` })
            .set('Cookie', cookie),
        ),
      )
    expect(await startedWith(cookie, { state: '1' })).toBe(60)
    expect(await startedWith(cookie, { state: '0' })).toBe(0)
  })

  it('keeps its other visits when a client posts a request, which comes without cookies (SameSite=Lax)', async () => {
    const on = server()
    const cookie = pairOf(cookieOf(await on.authorize({ prompt: 'login' })))
    const { url } = (await on.authorize({ state: 'posted' })).request
    const posted = await on.post('/authorize', new URL(url).search.slice(1))
    expect(posted.status).toBe(303)
    expect(posted.headers).not.toHaveProperty('set-cookie')

    // The redirect that follows comes with them.
    const followed = await on.get(posted.headers.location as string).set('Cookie', cookie)
    const both = pairOf(cookieOf(followed))
    expect(await startedWith(both, { prompt: 'login' }, on)).toBe(60)
    expect(await startedWith(both, { state: 'posted' }, on)).toBe(120)
  })

  it('gets no cookie with an answer at once, and none stays behind an answered request', async () => {
    const answering = fixture({ now: () => clock })
    expect(cookieOf(await answering.authorize())).toBe('')
    const cookie = pairOf(cookieOf(await server().authorize()))
    expect(cookieOf(await answering.authorize().set('Cookie', cookie))).toMatch(/^oauth_visits=; Max-Age=0; /)
  })
})
