import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/**
 * - `pass`: as if it were not there.
 * - `slow`: what the server says arrives 5 s later.
 * - `drop-replies`: what the client says arrives; the connection is cut in place of the answer.
 * - `drop-commands`: the connection is cut in place of what the client says.
 */
export type ProxyMode = 'pass' | 'slow' | 'drop-replies' | 'drop-commands'

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
    let slow = 0
    upstream.on('data', (chunk) => {
      if (proxy.mode === 'drop-replies') return cut()
      if (proxy.mode === 'pass' && slow === 0) return client.write(chunk)
      slow++
      setTimeout(() => {
        slow--
        client.write(chunk)
      }, 5000).unref()
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
