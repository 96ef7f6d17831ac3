// Stopping without dropping anything: no new connections, what is in flight ends, then the store is let go.
import { once } from 'node:events'
import type { Server } from 'node:http'
import type { TokenRouter } from 'express-token-endpoint'

/** After this, whoever still holds a connection open has had their time. */
const PATIENCE_MS = 10_000

export function closeOnSignal(server: Server, oauth: TokenRouter): void {
  async function close(): Promise<void> {
    const closed = once(server, 'close')
    server.close()
    // A connection that is kept alive after its last answer would hold the process for seconds.
    const idle = setInterval(() => server.closeIdleConnections(), 50)
    const patience = setTimeout(() => server.closeAllConnections(), PATIENCE_MS)
    await closed
    clearInterval(idle)
    clearTimeout(patience)
    await oauth.close()
  }

  // Once each: a second Ctrl-C ends the process at once, as it does without us.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void close())
}
