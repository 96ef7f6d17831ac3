import { sign } from 'node:crypto'
import { memoryStore, type Signer } from '../../lib'
import { ES256, expectUnavailable, fixture, watched } from '../support/fixture'

/** A key that lives elsewhere, and is away for what the test says. */
function remoteKey() {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')
  const state = { away: (_typ: string) => false }
  const signer: Signer = {
    alg: 'ES256',
    kid: 'remote',
    publicJwk: ES256.export({ format: 'jwk' }),
    async sign(typ, claims) {
      if (state.away(typ)) throw new Error('the KMS is away')
      const input = `${encode({ alg: 'ES256', kid: 'remote', typ })}.${encode(claims)}`
      const signature = sign('sha256', Buffer.from(input), { key: ES256, dsaEncoding: 'ieee-p1363' })
      return `${input}.${signature.toString('base64url')}`
    },
  }
  return { signer, state }
}

describe('signing comes before anything changes', () => {
  it.each([
    ['any token', () => true],
    ['the ID token', (typ: string) => typ === 'JWT'],
  ])(
    'a key that cannot sign %s: 503 and an event; code and refresh token are good still',
    async (_what, away) => {
      const { signer, state } = remoteKey()
      const calls: string[] = []
      const store = watched(memoryStore(), calls)
      const server = fixture({ signingKeys: [signer], store, overlap: 0, codeReplaySeconds: 0 })
      const [code, { refresh_token }] = [await server.code(), await server.tokens()]
      server.events.length = 0
      calls.length = 0

      state.away = away
      expectUnavailable(await server.exchange(code))
      expectUnavailable(await server.refresh(refresh_token))
      expect(calls).toEqual(['find', 'find'])
      expect(server.events).toEqual(
        Array(2)
          .fill([
            { type: 'host.trouble', operation: 'sign', cause: new Error('the KMS is away') },
            expect.objectContaining({ type: 'request.refused', status: 503, reason: 'signing_failed' }),
          ])
          .flat(),
      )

      state.away = () => false
      expect((await server.exchange(code)).status).toBe(200)
      expect((await server.refresh(refresh_token)).status).toBe(200)
    },
  )
})

describe('nothing refused after the place in the chain is known changes the grant', () => {
  it.each([
    ['a wider scope', { scope: 'admin' }, {}],
    ['a malformed scope', { scope: '"' }, {}],
    ['a user who may have no tokens', {}, { findAccount: () => undefined }],
    ['a user who has to sign in again', {}, { findAccount: () => ({ notBefore: new Date() }) }],
  ])('%s: the store is asked once, and told nothing', async (_what, parameters, options) => {
    const calls: string[] = []
    const store = memoryStore()
    const { refresh_token } = await fixture({ store }).tokens()
    const server = fixture({ store: watched(store, calls), ...options })

    expect((await server.refresh(refresh_token, parameters)).status).toBe(400)
    expect(calls).toEqual(['find'])
  })
})
