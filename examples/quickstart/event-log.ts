// What the operator reads. In production, count these by type and send them where your logs go.
import type { TokenRouterEvent } from 'express-token-endpoint'

const TROUBLE = new Set(['store.trouble', 'host.trouble', 'warning'])

/** Everything when a person is watching; otherwise trouble only, each kind once a second, so that it floods no log. */
export function createEventLog(watched: boolean): (event: TokenRouterEvent) => void {
  const lastAt = new Map<string, number>()

  return (event) => {
    if (!TROUBLE.has(event.type)) {
      if (watched) console.log(line(event))
      return
    }
    if (Date.now() - (lastAt.get(event.type) ?? 0) < 1000) return
    lastAt.set(event.type, Date.now())
    console.error(line(event))
  }
}

/** Events hold no secret, so that all of one may be shown. */
function line({ type, ...details }: TokenRouterEvent): string {
  const shown = Object.entries(details).filter(([, value]) => value !== undefined)
  return `  ${type}  ${shown.map(([name, value]) => `${name}=${value}`).join(' ')}`
}
