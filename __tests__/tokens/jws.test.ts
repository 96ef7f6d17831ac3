import { createHook } from 'node:async_hooks'
import { generateKeyPairSync, type KeyObject, verify } from 'node:crypto'
import { createSign } from '../../lib/tokens/jws'
import { fixture } from '../support/fixture'

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })

/** How many signatures came back from the threads of libuv meanwhile. */
async function signaturesOnThreads(during: () => Promise<unknown>): Promise<number> {
  const jobs = new Set<number>()
  let count = 0
  const hook = createHook({
    init: (id, type) => void (type === 'SIGNREQUEST' && jobs.add(id)),
    // Called back from the event loop: what is done on the spot never is.
    before: (id) => void (jobs.has(id) && count++),
  }).enable()
  await during()
  hook.disable()
  return count
}

describe('what a signature costs the requests beside it', () => {
  it.each<[string, KeyObject, number]>([
    ['RSA: nothing, both tokens are signed on another thread', rsa.privateKey, 2],
    ['ECDSA: its time, which is less than that of handing it over', ec.privateKey, 0],
  ])('%s', async (_rule, key, expected) => {
    const { code, exchange } = fixture({ signingKeys: [key] })
    const issued = await code()

    expect(await signaturesOnThreads(() => exchange(issued).expect(200))).toBe(expected)
  })
})

it('an ECDSA signature has its full length, whatever its numbers are (RFC 7518 §3.4)', async () => {
  const sign = createSign(ec.privateKey, 'ES256', 'kid')
  const publicKey = { key: ec.publicKey, dsaEncoding: 'ieee-p1363' as const }

  // One in 128 has a number that begins with a zero byte.
  for (let i = 0; i < 1000; i++) {
    const [header, payload, encoded] = (await sign('JWT', { i })).split('.') as [string, string, string]
    const signature = Buffer.from(encoded, 'base64url')
    expect(signature).toHaveLength(64)
    expect(verify('sha256', Buffer.from(`${header}.${payload}`), publicKey, signature)).toBe(true)
  }
})
