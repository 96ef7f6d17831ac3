import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/**
 * - `pass`: as if it were not there.
 * - `slow`: what the server says arrives 5 s later.
 * - `late`: it arrives 0.3 s later, which is in time.
 * - `drop-replies`: what the client says arrives; the connection is cut in place of the answer.
 * - `drop-commands`: the connection is cut in place of what the client says.
 */
export type ProxyMode = 'pass' | 'slow' | 'late' | 'drop-replies' | 'drop-commands'

/** Milliseconds. */
const DELAYS: Partial<Record<ProxyMode, number>> = { slow: 5000, late: 300 }

export interface TcpProxy {
  readonly url: string
  mode: ProxyMode
  /** Where new connections lead; those that are open stay where they are. */
  port: number
  /** How many connections were ever made. */
  readonly connections: number
  /** Cuts all connections. */
  cut(): void
  close(): void
}

/** Stands between a Redis and its client, to spoil the way between them. */
export async function startProxy(port: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>()
  let connections = 0
  const server = createServer((client) => {
    connections++
    const upstream = connect(proxy.port, '127.0.0.1')
    const cut = () => {
      for (const socket of [client, upstream]) {
        socket.destroy()
        sockets.delete(socket)
      }
    }
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.setNoDelay().on('error', cut).on('close', cut)
    }
    client.on('data', (chunk) => {
      if (proxy.mode === 'drop-commands') cut()
      else upstream.write(chunk)
    })
    // What is slow holds up what comes behind it.
    const held: Buffer[] = []
    let free = 0
    upstream.on('data', (chunk: Buffer) => {
      if (proxy.mode === 'drop-replies') return cut()
      const now = performance.now()
      free = Math.max(free, now + (DELAYS[proxy.mode] ?? 0))
      if (free === now && held.length === 0) return client.write(chunk)
      held.push(chunk)
      setTimeout(() => client.write(held.shift() as Buffer), free - now).unref()
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')

  const proxy: TcpProxy = {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    mode: 'pass',
    port,
    get connections() {
      return connections
    },
    cut() {
      for (const socket of sockets) socket.destroy()
    },
    close() {
      server.close()
      proxy.cut()
    },
  }
  return proxy
}
