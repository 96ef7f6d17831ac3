import { createHash, generateKeyPairSync } from 'node:crypto'
import type { SigningKeyInput } from '../../lib'
import { CLIENTS, claimsOf, expectUnavailable, fixture, headerOf } from '../support/fixture'

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve }).privateKey
const [p256, p384, p521] = [ec('P-256'), ec('P-384'), ec('P-521')]

/** `spa`, registered with an algorithm for its ID tokens. */
/** By a function: in a list an algorithm that no key makes is refused when the router is created. */
const registered = (alg: string) => (clientId: string) => {
  const client = CLIENTS.find(({ client_id }) => client_id === clientId)
  return client && { ...client, id_token_signed_response_alg: alg }
}

describe('at_hash (OIDC Core §3.1.3.6)', () => {
  it.each<[string, SigningKeyInput, string, number]>([
    ['ES256', p256, 'sha256', 16],
    ['ES384', p384, 'sha384', 24],
    ['ES512', p521, 'sha512', 32],
    ['RS256', rsa, 'sha256', 16],
    ['RS512', { key: rsa, alg: 'RS512' }, 'sha512', 32],
    ['PS256', { key: rsa, alg: 'PS256' }, 'sha256', 16],
    ['PS384', { key: rsa, alg: 'PS384' }, 'sha384', 24],
  ])(
    'is the left half of the hash that %s uses, of the access token beside it, and on a refresh anew',
    async (alg, key, hash, half) => {
      const server = fixture({ signingKeys: [key] })
      const first = await server.tokens()
      const { body: second } = await server.refresh(first.refresh_token)

      for (const { access_token, id_token } of [first, second]) {
        expect(headerOf(id_token).alg).toBe(alg)
        const digest = createHash(hash).update(access_token, 'ascii').digest()
        expect(claimsOf(id_token).at_hash).toBe(digest.subarray(0, half).toString('base64url'))
      }
      expect(claimsOf(second.id_token).at_hash).not.toBe(claimsOf(first.id_token).at_hash)
    },
  )
})

describe('id_token_signed_response_alg (OIDC Registration §2)', () => {
  it('chooses the key of the ID token, and with it the hash; the access token has the first key still', async () => {
    const server = fixture({
      signingKeys: [p256, { key: rsa, kid: 'rsa' }, p384],
      clients: registered('ES384'),
    })
    const { access_token, id_token } = await server.tokens()

    expect(headerOf(access_token).alg).toBe('ES256')
    expect(headerOf(id_token).alg).toBe('ES384')
    const digest = createHash('sha384').update(access_token).digest()
    expect(claimsOf(id_token).at_hash).toBe(digest.subarray(0, 24).toString('base64url'))
  })

  it.each(['RS256', 'none', 'HS256', '__proto__'])(
    '%s, which no key of ours makes, is 503 and an event: never another algorithm than was registered',
    async (alg) => {
      const server = fixture({ clients: registered(alg) })

      expectUnavailable(await server.exchange(await server.code()))
      expect(server.eventsOf('host.trouble')).toMatchObject([{ operation: 'sign', cause: expect.any(Error) }])
    },
  )

  it('of a key that is only published does not sign', async () => {
    const server = fixture({
      signingKeys: [p256, generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey],
      clients: registered('RS256'),
    })

    expectUnavailable(await server.exchange(await server.code()))
  })
})
