// A browser that does what the conformance suite makes its own do: the commands of examples/oidc/conformance-suite.json,
// in Chromium.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BrowserContext, Page } from 'playwright-core'
import type { ClientSite, Visit } from './client-site'
import type { Provider } from './provider'

type Command = readonly [action: string, selector: string, target: string, ...more: (string | number)[]]

interface Script {
  readonly match: string
  readonly tasks: readonly {
    readonly task: string
    readonly optional?: boolean
    readonly match: string
    readonly commands: readonly Command[]
  }[]
}

interface Plan {
  readonly alias: string
  readonly server: { readonly discoveryUrl: string; readonly login_hint: string }
  readonly client: Credentials
  readonly client_secret_post: Credentials
  readonly client2: Credentials
  readonly browser: readonly Script[]
  readonly override: Readonly<Record<string, { readonly browser: readonly Script[] }>>
}

export interface Credentials {
  readonly client_id: string
  readonly client_secret: string
}

/** The configuration that is given to the suite, with the origin of this provider. */
export function readPlan(provider: Provider): Plan {
  const text = readFileSync(join(__dirname, '../../examples/oidc/conformance-suite.json'), 'utf8')
  return JSON.parse(text.replaceAll('https://host.docker.internal:3000', provider.origin))
}

/** What a client sends its user to the provider with. */
export interface UserAgent {
  /** Goes there by the client's link or form, as one user. The response to the client, if there was one. */
  visit(url: string, method?: 'GET' | 'POST'): Promise<Record<string, string> | undefined>
  close(): Promise<void>
}

export interface ScriptedBrowser extends UserAgent {
  readonly context: BrowserContext
  /** Texts that a page was waited for to show, and titles of the pages at the end. */
  readonly seen: string[]
}

/** @param module The module whose script is run. */
export async function openScriptedBrowser(
  site: ClientSite,
  plan: Plan,
  { module, javaScript }: { module: string; javaScript: boolean },
): Promise<ScriptedBrowser> {
  const context = await site.browser.newContext({ ignoreHTTPSErrors: true, javaScriptEnabled: javaScript })
  context.setDefaultTimeout(10_000)
  const seen: string[] = []

  async function run(page: Page, scripts: readonly Script[], url: string): Promise<void> {
    const script = scripts.find(({ match }) => matches(match, url))
    if (!script) throw new Error(`No script of ${module} is for ${url}`)
    for (const { task, optional, match, commands } of script.tasks) {
      await settled(page)
      if (!matches(match, page.url())) {
        if (optional) continue
        throw new Error(`${module}: "${task}" expects ${match}, but there is ${page.url()}`)
      }
      for (const command of commands) await perform(page, command)
    }
  }

  async function perform(page: Page, [action, by, target, ...more]: Command): Promise<void> {
    const element = page.locator(by === 'id' ? `#${target}` : `${by}=${target}`).first()
    if (action === 'text') return element.fill(String(more[0]))
    if (action === 'click') {
      if (more[0] === 'optional' && !(await element.isVisible())) return
      return element.click()
    }
    if (action !== 'wait') throw new Error(`Unknown command: ${action}`)
    await element.waitFor()
    if (more[1] === undefined) return
    await page.locator('html', { hasText: new RegExp(String(more[1])) }).waitFor()
    seen.push(String(more[1]))
  }

  return {
    seen,
    context,
    async visit(url, method = 'GET') {
      site.takeVisit()
      const page = await context.newPage()
      if (method === 'GET') await page.goto(url)
      else {
        await page.goto(site.startUrl(url))
        await page.click('button')
      }
      await run(page, plan.override[module]?.browser ?? plan.browser, url)
      seen.push(await page.title())
      await page.close()
      const visit = site.takeVisit()
      return visit && responseOf(visit, new URL(url).searchParams.get('response_mode'))
    },
    close: () => context.close(),
  }
}

function responseOf(visit: Visit, mode: string | null): Record<string, string> {
  if (mode !== 'form_post') {
    expect(visit.method).toBe('GET')
    return Object.fromEntries(visit.url.searchParams)
  }
  // OAuth 2.0 Form Post Response Mode §2: nothing in the URL.
  expect(visit.method).toBe('POST')
  expect(visit.contentType).toBe('application/x-www-form-urlencoded')
  expect([...visit.url.searchParams]).toEqual([])
  return Object.fromEntries(new URLSearchParams(visit.body))
}

/** Pages of the host have no script; the one that posts a response to the client has, and leaves by it. */
async function settled(page: Page): Promise<void> {
  await page.waitForLoadState()
  await page.locator('html:not(:has(script))').waitFor()
}

/** Of Spring's PatternMatchUtils, which the suite uses. */
function matches(pattern: string, url: string): boolean {
  const source = pattern.split('*').map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'))
  return new RegExp(`^${source.join('.*')}$`, 's').test(url)
}
