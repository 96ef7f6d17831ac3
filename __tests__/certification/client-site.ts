// Where the conformance suite runs when it is run locally, as the browser sees it: another site, with the redirect URI.
import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Browser } from 'playwright-core'
import { generate } from 'selfsigned'
import { launchChromium } from '../support/chromium'

const HOST = 'localhost.emobix.co.uk:8443'
const CALLBACK = '/test/a/express-token-endpoint/callback'

/** A request to the redirect URI. */
export interface Visit {
  readonly method: string
  readonly url: URL
  readonly contentType: string | undefined
  readonly body: string
}

export interface ClientSite {
  readonly redirectUri: string
  /** It finds the site under its name. */
  readonly browser: Browser
  /** A page with a form that posts the parameters of a URL there. */
  startUrl(url: string): string
  /** What came to the redirect URI since it was asked last. */
  takeVisit(): Visit | undefined
  close(): Promise<void>
}

export async function openClientSite(): Promise<ClientSite> {
  const { private: key, cert } = await generate([{ name: 'commonName', value: HOST }], {
    keyType: 'ec',
    algorithm: 'sha256',
  })
  let visit: Visit | undefined
  const server = createServer({ key, cert }, async (req, res) => {
    const url = new URL(req.url ?? '', `https://${HOST}`)
    let body = ''
    for await (const chunk of req) body += chunk
    res.setHeader('Content-Type', 'text/html')
    if (url.pathname === '/start') return res.end(startPage(url))
    if (url.pathname !== CALLBACK) return res.writeHead(404).end()
    visit = { method: req.method ?? '', url, contentType: req.headers['content-type'], body }
    res.end('<p id="submission_complete">Done.')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const browser = await launchChromium([`--host-resolver-rules=MAP ${HOST} 127.0.0.1:${port}`])

  return {
    redirectUri: `https://${HOST}${CALLBACK}`,
    browser,
    startUrl: (url) => `https://${HOST}/start?${new URLSearchParams({ url })}`,
    takeVisit() {
      const taken = visit
      visit = undefined
      return taken
    },
    async close() {
      await browser.close()
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function startPage(start: URL): string {
  const target = new URL(start.searchParams.get('url') ?? '')
  const fields = [...target.searchParams].map(([name, value]) => {
    const escaped = value.replaceAll('&', '&amp;').replaceAll('"', '&quot;')
    return `<input type="hidden" name="${name}" value="${escaped}">`
  })
  return `<form method="post" action="${target.origin}${target.pathname}">${fields.join('')}<button>Go</button></form>`
}
