import { type Browser, chromium } from 'playwright-core'
import { locate } from '../../scripts/requirements.mjs'

/**
 * The system's Chromium, headless, and quiet: it talks to nobody but the pages that a test opens.
 * @param args More of its command line.
 */
export function launchChromium(args: readonly string[] = []): Promise<Browser> {
  return chromium.launch({
    executablePath: locate('chromium'),
    headless: true,
    args: [
      '--no-sandbox', // it can't have one as root or in a container
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      ...args,
    ],
  })
}
