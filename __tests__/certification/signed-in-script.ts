// A user who is signed in, where a real browser would show nothing more: a script that follows redirects, allows what it is
// asked, and takes the response from where a browser would send it.
import { type APIRequestContext, type APIResponse, request } from 'playwright-core'
import type { Provider } from './provider'
import type { UserAgent } from './scripted-browser'

export interface SignedInScript extends UserAgent {
  /** Its cookies. It follows no redirect. */
  readonly http: APIRequestContext
}

export async function openSignedInScript(provider: Provider, redirectUri: string): Promise<SignedInScript> {
  const http = await request.newContext({ ignoreHTTPSErrors: true, maxRedirects: 0 })
  const login = await http.post(`${provider.origin}/login`, {
    form: { username: 'alice', password: 'wonderland' },
  })
  expect(login.status()).toBe(303)

  async function follow(answer: APIResponse): Promise<Record<string, string> | undefined> {
    const { location } = answer.headers()
    if (location?.startsWith(`${redirectUri}?`)) return Object.fromEntries(new URL(location).searchParams)
    if (location) return follow(await http.get(new URL(location, answer.url()).href))
    const page = await answer.text()
    if (page.includes(' id="allow"')) {
      return follow(await http.post(answer.url(), { form: { ...fieldsOf(page), decision: 'allow' } }))
    }
    return page.includes(` action="${redirectUri}"`) ? fieldsOf(page) : undefined
  }

  return {
    http,
    visit: async (url) => follow(await http.get(url)),
    close: () => http.dispose(),
  }
}

function fieldsOf(page: string): Record<string, string> {
  const fields = page.matchAll(/<input type="hidden" name="(\w+)" value="([^"]*)">/g)
  return Object.fromEntries(
    Array.from(fields, ([, name, value = '']) => [
      name,
      value.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(code)),
    ]),
  )
}
