// A load of so many requests a second, whatever becomes of them: refreshes along many chains, codes, revocations and
// introspections. It keeps to what its clients would do, and knows what each of them may be answered.
import { randomUUID } from 'node:crypto'
import type { Reply, TestServer } from '../processes/start-server'
import { CALLBACK, CHALLENGE } from '../support/fixture'
import { outcome } from './redis-faults'

type Kind = 'refresh' | 'exchange' | 'revoke' | 'introspect' | 'authorize'

/** What the requests are, one after the other. */
const MIX: readonly Kind[] = [
  ...Array<Kind>(7).fill('refresh'),
  'exchange',
  'introspect',
  ...Array<Kind>(6).fill('refresh'),
  'exchange',
  'exchange',
  'introspect',
  'revoke',
  'authorize',
]

/** The users whose chains are refreshed, and who authorize the client again and again. */
export const USERS = Array.from({ length: 12 }, (_, i) => `user-${i}`)

/** Of the codes every fourth is redeemed twice at once. */
const TWICE = 4

/** A client with a refresh token. It honours the one that it was given last, and has one request at a time. */
interface Chain {
  token: string
  busy: boolean
}

/** A code, and what its redemptions were answered. After 503 its client tries again. */
interface Code {
  readonly code: string
  readonly answers: string[]
}

export interface Answered {
  readonly kind: Kind
  /** By the clock of `performance.now`. */
  readonly sent: number
  readonly at: number
  /** `works`, `unavailable`, or what is wrong with it. */
  readonly said: string
}

const AUTHORIZATION = {
  response_type: 'code',
  client_id: 'spa',
  redirect_uri: CALLBACK,
  code_challenge: CHALLENGE,
  code_challenge_method: 'S256',
}

const POST_CLIENT = { client_id: 'post', client_secret: 'post-secret' }

/** Without an ID token, whose signature would only take time. */
const SCOPE = { scope: 'offline_access' }

/** Each for another user: one may not have so many. */
const codeOf = (server: TestServer) => server.code({ ...SCOPE, subject: randomUUID() })

/** The number of the link that a refresh token names. */
const linkOf = (token: string) => Buffer.from(token, 'base64url').readUInt32BE(19)

/** All of them, a few at a time. */
async function many<T>(count: number, make: () => Promise<T>): Promise<T[]> {
  const made: T[] = []
  const worker = async () => {
    while (count-- > 0) made.push(await make())
  }
  await Promise.all(Array.from({ length: 20 }, worker))
  return made
}

export class Load {
  readonly answered: Answered[] = []
  private readonly codes: Code[] = []
  private readonly spentCodes: Code[] = []
  private readonly unwanted: string[] = []
  private readonly revoked: string[] = []
  private readonly underway = new Set<Promise<void>>()
  private timer: NodeJS.Timeout | undefined
  private sent = 0
  private next = 0

  private constructor(
    private readonly server: TestServer,
    private readonly perSecond: number,
    private readonly chains: readonly Chain[],
    private readonly kept: string,
  ) {}

  /** With chains enough for each request to find one that waits for no answer, even where all take their time. */
  static async prepare(server: TestServer, perSecond: number): Promise<Load> {
    let made = 0
    const chains = await many(2 * perSecond, async () => {
      const code = await server.code({ ...SCOPE, subject: USERS[made++ % USERS.length] as string })
      return { token: (await server.exchange(code)).body.refresh_token as string, busy: false }
    })
    const kept = await server.exchange(await server.code({ ...SCOPE, ...POST_CLIENT }), POST_CLIENT)
    return new Load(server, perSecond, chains, kept.body.refresh_token)
  }

  /** Makes the codes, and the tokens to be revoked, that so many seconds need. When none is left, all is refreshes. */
  async provide(seconds: number): Promise<void> {
    const share = (kind: Kind) => MIX.filter((one) => one === kind).length / MIX.length
    const needed = (kind: Kind) => Math.ceil(seconds * this.perSecond * share(kind))
    const codes = await many(needed('exchange'), () => codeOf(this.server))
    this.codes.push(...codes.map((code) => ({ code, answers: [] })))
    const tokens = async () => (await this.server.exchange(await codeOf(this.server))).body.refresh_token
    this.unwanted.push(...(await many(needed('revoke'), tokens)))
  }

  start(): void {
    this.answered.length = 0
    this.sent = 0
    const begun = performance.now()
    this.timer = setInterval(() => {
      const due = ((performance.now() - begun) * this.perSecond) / 1000
      while (this.sent < due) this.send(MIX[this.sent++ % MIX.length] as Kind)
    }, 5)
  }

  /** Resolves when all is answered. */
  async stop(): Promise<void> {
    clearInterval(this.timer)
    while (this.underway.size > 0) await Promise.all(this.underway)
  }

  /** Asks once more for each chain and each revoked token, and looks at what all codes were answered. */
  async faults(): Promise<string[]> {
    const faults = this.answered.map(({ said }) => said).filter((said) => !/^(works|unavailable)$/.test(said))
    for (const { answers } of this.spentCodes) {
      const count = (answer: string) => answers.filter((one) => one === answer).length
      // Refused is a code that was redeemed, or may have been by a request that was told 503.
      const right = count('tokens') <= 1 && (count('tokens') === 1 || count('unavailable') > 0)
      if (!right) faults.push(`a code was answered with ${answers.join(', ')}`)
    }
    const again = [...this.revoked]
    await many(again.length, async () => {
      const { status, body } = await this.server.refresh(again.pop() as string)
      if (status !== 400) faults.push(`a revoked token was answered with ${status} ${JSON.stringify(body)}`)
    })
    const chains = [...this.chains]
    await many(chains.length, async () => {
      const chain = chains.pop() as Chain
      const said = this.moved(chain, await this.server.refresh(chain.token))
      if (said !== 'works') faults.push(`in the end: ${said}`)
    })
    return faults
  }

  private send(kind: Kind): void {
    if (kind === 'refresh') return this.refresh()
    if (kind === 'exchange') return this.exchange()
    if (kind === 'revoke') return this.revoke()
    if (kind === 'authorize') return this.authorize()
    const asked = this.server.post('/oauth/introspect', { ...POST_CLIENT, token: this.kept })
    this.note(kind, asked, (reply) => outcome('introspect', reply))
  }

  private authorize(): void {
    const subject = USERS[this.sent % USERS.length] as string
    const query = new URLSearchParams({ ...AUTHORIZATION, ...SCOPE, subject })
    const asked = this.server.get(`/oauth/authorize?${query}`)
    this.note('authorize', asked, (reply) => outcome('authorize', reply))
  }

  private refresh(): void {
    for (let tried = 0; tried < this.chains.length; tried++) {
      const chain = this.chains[this.next++ % this.chains.length] as Chain
      if (chain.busy) continue
      chain.busy = true
      return this.note('refresh', this.server.refresh(chain.token), (reply) => {
        chain.busy = false
        return this.moved(chain, reply)
      })
    }
    const now = performance.now()
    this.answered.push({
      kind: 'refresh',
      sent: now,
      at: now,
      said: 'not sent: all chains wait for an answer',
    })
  }

  /** Whatever happened before: the next link, or 503 and the same token again. */
  private moved(chain: Chain, reply: Reply): string {
    const said = outcome('rotate', reply)
    if (said !== 'works') return said
    const [from, to] = [linkOf(chain.token), linkOf(reply.body.refresh_token)]
    chain.token = reply.body.refresh_token
    return to === from + 1 ? said : `link ${from} was followed by ${to}`
  }

  private exchange(): void {
    const code = this.codes.pop()
    if (!code) return this.refresh()
    const again = code.answers.length > 0
    if (!again) this.spentCodes.push(code)
    const redeem = () =>
      this.note('exchange', this.server.exchange(code.code), (reply) => {
        const said = outcome('exchange', reply)
        const refused = reply.status === 400 && reply.body.error === 'invalid_grant'
        code.answers.push(said === 'works' ? 'tokens' : refused ? 'invalid_grant' : said)
        if (said === 'unavailable') this.codes.unshift(code)
        return refused ? 'works' : said
      })
    redeem()
    // Another request of the load: it was sent by a browser that fired its callback twice.
    if (!again && this.spentCodes.length % TWICE === 0) {
      this.sent++
      redeem()
    }
  }

  private revoke(): void {
    const token = this.unwanted.pop()
    if (token === undefined) return this.refresh()
    this.note('revoke', this.server.post('/oauth/revoke', { client_id: 'spa', token }), (reply) => {
      const said = outcome('revoke', reply)
      if (said === 'works') this.revoked.push(token)
      else this.unwanted.unshift(token)
      return said
    })
  }

  private note(kind: Kind, asked: Promise<Reply>, judge: (reply: Reply) => string): void {
    const sent = performance.now()
    const answered = asked.then(judge, String).then((said) => {
      const right = said === 'works' || said === 'unavailable'
      this.answered.push({ kind, sent, at: performance.now(), said: right ? said : `${kind}: ${said}` })
    })
    const done = answered.finally(() => this.underway.delete(done))
    this.underway.add(done)
  }
}
