import { connect, type Socket } from 'node:net'

export interface BurstReply {
  readonly status: number
  // biome-ignore lint/suspicious/noExplicitAny: what a test expects of it, it says
  readonly body: any
}

export interface Burst {
  /** Posts the same form so many times at once, each over a connection of its own that is kept for the next time. */
  post(times: number, path: string, form: Record<string, string>): Promise<BurstReply[]>
  close(): void
}

/**
 * Sends and reads HTTP/1.1 by hand. An HTTP client would take more of the processor than the servers that it asks, and
 * its requests would arrive one after the other.
 */
export function openBurst(port: number): Burst {
  const idle: Socket[] = []
  const all = new Set<Socket>()

  function open(): Socket {
    const socket = connect(port, '127.0.0.1').setEncoding('utf8')
    socket.on('error', () => {}) // it closes as well
    all.add(socket)
    return socket
  }

  function ask(request: string): Promise<BurstReply> {
    return new Promise((resolve, reject) => {
      const socket = idle.pop() ?? open()
      let text = ''
      const onClose = () => reject(new Error(`the connection was closed after "${text}"`))
      const onData = (chunk: string) => {
        text += chunk
        const [head, body] = text.split('\r\n\r\n', 2) as [string, string?]
        // All that the servers say is ASCII.
        if (body === undefined || body.length < Number(/^content-length: (\d+)/im.exec(head)?.[1])) return
        socket.off('data', onData).off('close', onClose)
        idle.push(socket)
        resolve({ status: Number(head.slice(9, 12)), body: JSON.parse(body) })
      }
      socket.on('data', onData).on('close', onClose)
      socket.write(request)
    })
  }

  return {
    post(times, path, form) {
      const body = new URLSearchParams(form).toString()
      const head = [
        `POST ${path} HTTP/1.1`,
        'Host: localhost',
        'Content-Type: application/x-www-form-urlencoded',
        `Content-Length: ${body.length}`,
      ]
      const request = `${head.join('\r\n')}\r\n\r\n${body}`
      return Promise.all(Array.from({ length: times }, () => ask(request)))
    },
    close() {
      for (const socket of all) socket.removeAllListeners('close').destroy()
    },
  }
}
