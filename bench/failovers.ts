// Real failovers of Redis under load: the primary is killed, again and again, and the sentinels promote a replica. What is
// lost with it, with and without waiting for replicas. The figures are in docs/stores.md.
//
//   npx tsx bench/failovers.ts [--failovers 20] [--behind 0]
//
// --behind: by how many milliseconds the replicas lag when the primary dies. On one machine they do not by themselves.
import { createHash, generateKeyPairSync, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import express from 'express'
import { type RedisSentinel, startSentinel } from '../__tests__/support/redis-sentinel.js'
import { createTokenRouter, redisStore, type TokenStore, type WaitForReplicas } from '../lib/index.js'

/** Of each kind. Each does something about every `THINKS` milliseconds, and refreshes so often after every other sign-in. */
const USERS = 40
const THINKS = 250
const REFRESHES = 4

const CALLBACK = 'https://client.example/callback'
const VERIFIER = 'the-verifier-of-this-benchmark-is-long-enough-by-far'

/** What became of the requests of one kind of users. */
interface Tally {
  /** Codes redeemed, refresh tokens rotated: answered with 200. */
  writes: number
  caughtUp: number
  redeemedTwice: number
  signedOut: number
}

interface Answer {
  readonly status: number
  readonly location: string | null
  readonly body: { refresh_token?: string; error?: string }
}

class Server {
  readonly tally: Tally = { writes: 0, caughtUp: 0, redeemedTwice: 0, signedOut: 0 }
  /** Codes that were redeemed, with the time at which that was answered. */
  redeemed: { code: string; at: number }[] = []
  /** When the primary died; and when something was first written that was asked for since. */
  died = 0
  back = 0
  readonly outages: number[] = []
  readonly #store: TokenStore
  #url = ''
  #http = createServer()

  constructor(redis: RedisSentinel, waitForReplicas?: WaitForReplicas) {
    this.#store = redisStore({ options: { sentinels: redis.sentinels, name: redis.name }, waitForReplicas })
  }

  async listen(): Promise<void> {
    const app = express()
    this.#http = createServer(app).listen(0, '127.0.0.1')
    await once(this.#http, 'listening')
    this.#url = `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}/oauth`
    app.use(
      '/oauth',
      createTokenRouter({
        issuer: this.#url,
        secret: randomUUID() + randomUUID(),
        signingKeys: [generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey],
        clients: [
          {
            client_id: 'spa',
            token_endpoint_auth_method: 'none',
            redirect_uris: [CALLBACK],
            grant_types: ['authorization_code', 'refresh_token'],
          },
        ],
        findAccount: () => ({}),
        authorize: () => ({ subject: randomUUID() }),
        store: this.#store,
        rateLimit: false,
        // Or trying the codes again would end their grants.
        codeReplaySeconds: 3600,
        onEvent: ({ type }) => {
          if (type === 'grant.caught-up') this.tally.caughtUp++
        },
      }),
    )
  }

  async close(): Promise<void> {
    this.#http.close()
    this.#http.closeAllConnections()
    await this.#store.close()
  }

  async authorize(): Promise<string | undefined> {
    const query = new URLSearchParams({
      response_type: 'code',
      client_id: 'spa',
      redirect_uri: CALLBACK,
      scope: 'offline_access',
      code_challenge: createHash('sha256').update(VERIFIER).digest('base64url'),
      code_challenge_method: 'S256',
    })
    const { location } = await this.#ask(`/authorize?${query}`)
    return (location && new URL(location).searchParams.get('code')) || undefined
  }

  exchange(code: string): Promise<Answer> {
    const more = { redirect_uri: CALLBACK, code_verifier: VERIFIER }
    return this.#write({ grant_type: 'authorization_code', code, ...more })
  }

  refresh(token: string): Promise<Answer> {
    return this.#write({ grant_type: 'refresh_token', refresh_token: token })
  }

  async #write(form: Record<string, string>): Promise<Answer> {
    const asked = performance.now()
    const answer = await this.#ask('/token', {
      method: 'POST',
      body: new URLSearchParams({ client_id: 'spa', ...form }),
    })
    if (answer.status === 200) {
      this.tally.writes++
      if (this.died > 0 && asked > this.died && this.back === 0) this.back = performance.now()
    }
    return answer
  }

  async #ask(path: string, init: RequestInit = {}): Promise<Answer> {
    const response = await fetch(this.#url + path, { ...init, redirect: 'manual' })
    const text = await response.text()
    const body = text.startsWith('{') ? JSON.parse(text) : {}
    return { status: response.status, location: response.headers.get('location'), body }
  }
}

/** On 503 again, as a client does. */
async function persist(ask: () => Promise<Answer>, stopped = () => false): Promise<Answer> {
  for (;;) {
    const answer = await ask()
    if (answer.status !== 503 || stopped()) return answer
    await delay(50)
  }
}

/** Signs in, stays for a while, and signs in again, until `stopped`. */
async function use(server: Server, stopped: () => boolean): Promise<void> {
  const think = () => delay(THINKS * (0.5 + Math.random()))
  while (!stopped()) {
    const code = await server.authorize()
    if (code === undefined) {
      await delay(50)
      continue
    }
    await think()
    const exchanged = await server.exchange(code)
    // Whether it was spent before the 503, nobody knows: that user has not been signed in yet, and starts anew.
    if (exchanged.status !== 200) continue
    server.redeemed.push({ code, at: performance.now() })
    let token = exchanged.body.refresh_token as string
    // Whose next refresh makes up for the lost redemption cannot show that the code is good once more.
    const refreshes = Math.random() < 0.5 ? 0 : REFRESHES
    for (let i = 0; i < refreshes && !stopped(); i++) {
      await think()
      const { status, body } = await persist(() => server.refresh(token), stopped)
      if (status === 503) break
      if (status !== 200) {
        server.tally.signedOut++
        break
      }
      token = body.refresh_token as string
    }
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { failovers: { type: 'string', default: '20' }, behind: { type: 'string', default: '0' } },
  })
  const [failovers, behind] = [Number(values.failovers), Number(values.behind)]
  const redis = await startSentinel()
  const servers = {
    'not waiting': new Server(redis),
    'waiting for both replicas': new Server(redis, { count: 2 }),
  }
  for (const server of Object.values(servers)) await server.listen()

  for (let failover = 1; failover <= failovers; failover++) {
    let stopping = false
    const users = Object.values(servers).flatMap((server) => {
      Object.assign(server, { redeemed: [], died: 0, back: 0 })
      return Array.from({ length: USERS }, () => use(server, () => stopping))
    })
    await delay(1500)

    const killed = await redis.primary()
    const release = behind > 0 ? await holdBack(redis, behind) : async () => {}
    await killed.kill()
    const died = performance.now()
    for (const server of Object.values(servers)) server.died = died
    await delay(100)
    await release()
    await redis.failedOver(killed)
    await killed.restart()
    await redis.healed()
    await delay(1000)
    stopping = true
    await Promise.all(users)

    for (const server of Object.values(servers)) {
      server.outages.push((server.back - died) / 1000)
      server.outages.sort((a, b) => a - b)
      for (const { code, at } of server.redeemed) {
        if (at > died) continue
        const { status } = await persist(() => server.exchange(code))
        if (status === 200) server.tally.redeemedTwice++
      }
    }
    process.stderr.write(`${failover}/${failovers}\n`)
  }

  const seconds = (value = 0) => value.toFixed(1)
  console.log(
    `| ${failovers} failovers, replicas ${behind} ms behind | ${Object.keys(servers).join(' | ')} |`,
  )
  console.log('|---|---|---|')
  const print = (what: string, figure: (server: Server) => number | string) =>
    console.log(`| ${what} | ${Object.values(servers).map(figure).join(' | ')} |`)
  print('redemptions and rotations answered', ({ tally }) => tally.writes)
  print('of them lost, and made up for by the next refresh', ({ tally }) => tally.caughtUp)
  print('codes redeemed twice', ({ tally }) => tally.redeemedTwice)
  print('users signed out', ({ tally }) => tally.signedOut)
  print('seconds until one is answered again, median', ({ outages }) => seconds(outages[outages.length >> 1]))
  print('longest', ({ outages }) => seconds(outages.at(-1)))
  for (const server of Object.values(servers)) await server.close()
  await redis.stop()
}

/** From now on the replicas do nothing with what they are sent, and lose it with their primary. */
async function holdBack(redis: RedisSentinel, milliseconds: number): Promise<() => Promise<void>> {
  const replicas = (await redis.replicas()).map((server) => redis.ask(server))
  await Promise.all(replicas.map((replica) => replica.call('CLIENT', 'PAUSE', '10000', 'WRITE')))
  await delay(milliseconds)
  return async () => {
    await Promise.all(replicas.map((replica) => replica.call('CLIENT', 'UNPAUSE')))
  }
}

void main()
