// The load: keep-alive connections over raw sockets, each with one request in flight, so that the generator costs less
// than any server it measures. Every response is checked.
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { bodyOf } from './scenarios.js'

/**
 * Sends requests until the time is over, the number is reached, or there are no tokens left. `tokens` is changed in place:
 * a rotated token takes the place of the one before, a redeemed code is replaced by its refresh token.
 *
 * @param {{ port: number, path: string }} server
 * @param {import('./scenarios.js').Scenario} scenario
 * @param {string[]} tokens
 * @param {{ seconds?: number, count?: number, connections?: number, rate?: number }} bounds
 */
export async function load(
  server,
  scenario,
  tokens,
  { seconds = 3600, count = Infinity, connections = 32, rate = Infinity },
) {
  const exchange = exchangeFor(server, scenario)
  const latencies = []
  const samples = []
  let left = scenario.step === 'code' ? Math.min(count, tokens.length) : count
  let taken = 0
  let begun = 0
  const started = performance.now()
  const end = started + seconds * 1000

  // Each connection walks through tokens of its own, so that no two requests in flight are about the same grant.
  async function worker(first) {
    const connection = await open(server.port)
    for (let i = first; left > 0 && performance.now() < end; i += connections) {
      left--
      const wait = started + (1000 / rate) * begun++ - performance.now()
      if (wait > 0) await delay(wait)
      const at =
        scenario.step === 'code'
          ? taken++
          : i % (tokens.length - (tokens.length % connections) || tokens.length)
      const sent = performance.now()
      const answer = await connection.send(exchange.request(tokens[at]))
      latencies.push(performance.now() - sent)
      const response = exchange.check(answer, tokens[at])
      if (response.refresh_token !== undefined) tokens[at] = response.refresh_token
      if (latencies.length % 997 === 1) samples.push(response)
    }
    connection.close()
  }
  await Promise.all(Array.from({ length: connections }, (_, i) => worker(i)))
  return {
    requests: latencies.length,
    seconds: (performance.now() - started) / 1000,
    latencies,
    samples,
  }
}

/** One exchange at the token endpoint: what is sent, and what must come back. */
function exchangeFor({ path }, { step, client }) {
  const start = bodyOf(step, client)
  const head = `POST ${path} HTTP/1.1\r\nHost: op.example\r\nContent-Type: application/x-www-form-urlencoded\r\nAccept: application/json\r\nContent-Length: `

  return {
    request: (token) => `${head}${start.length + token.length}\r\n\r\n${start}${token}`,

    check({ status, body }, token) {
      if (status !== 200) throw new Error(`answered with ${status}: ${body}`)
      const response = JSON.parse(body)
      const { access_token, id_token, refresh_token, token_type, expires_in } = response
      const good =
        isJwt(access_token) &&
        isJwt(id_token) &&
        String(token_type).toLowerCase() === 'bearer' &&
        (expires_in === 600 || expires_in === 599) &&
        (step === 'keep'
          ? refresh_token === undefined || refresh_token === token
          : typeof refresh_token === 'string' && refresh_token !== token)
      if (!good) throw new Error(`a wrong response to ${step}: ${body}`)
      return response
    },
  }
}

function isJwt(text) {
  return typeof text === 'string' && text.startsWith('eyJ') && text.split('.').length === 3
}

/** A connection that has one request in flight. It knows of HTTP what the servers here make use of. */
async function open(port) {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  let received = ''
  let answered
  let failed

  socket.setEncoding('latin1')
  socket.on('data', (chunk) => {
    received += chunk
    const answer = parse(received)
    if (!answer) return
    received = ''
    answered(answer)
  })
  socket.on('error', (error) => failed?.(error))
  socket.on('close', () =>
    failed?.(new Error(`the server closed the connection after: ${received.slice(0, 300)}`)),
  )
  await new Promise((resolve, reject) => {
    socket.once('connect', resolve)
    failed = reject
  })

  return {
    send(text) {
      return new Promise((resolve, reject) => {
        answered = resolve
        failed = reject
        socket.write(text, 'latin1')
      })
    },
    close: () => {
      failed = undefined
      socket.destroy()
    },
  }
}

/** The response, once it is there as a whole. */
function parse(text) {
  const end = text.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const head = text.slice(0, end)
  const status = Number(head.slice(9, 12))
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
  const body = text.slice(end + 4)
  if (length !== undefined) return body.length < Number(length) ? undefined : { status, body }
  if (!/\r\ntransfer-encoding: *chunked/i.test(head)) throw new Error(`a response of unknown length: ${head}`)
  return body.endsWith('0\r\n\r\n')
    ? { status, body: body.replace(/(?:^|\r\n)[0-9a-f]+\r\n/g, '') }
    : undefined
}
