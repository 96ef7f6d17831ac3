// JWT Secured Authorization Response Mode for OAuth 2.0 (JARM).
import { generateKeyPairSync } from 'node:crypto'
import jwt from 'jsonwebtoken'
import type { Client, Signer } from '../../lib'
import {
  CALLBACK,
  CLIENTS,
  ES256,
  expectErrorPage,
  fixture,
  headerOf,
  ISSUER,
  redirected,
} from '../support/fixture'

const RS256 = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
const now = () => Date.parse('2026-05-04T10:00:00Z')
const options = { signingKeys: [ES256, RS256], now }

const claimsIn = (response: string, key = ES256) =>
  jwt.verify(response, key.asymmetricKeyType === 'rsa' ? publicOf(RS256) : publicOf(ES256), {
    clockTimestamp: now() / 1000,
    algorithms: ['ES256', 'RS256'],
  })
function publicOf(key: typeof ES256) {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString()
}

describe.each(['jwt', 'query.jwt'])('response_mode=%s', (response_mode) => {
  it('sends one signed parameter with all that would be sent, and for whom (JARM §2.1, §2.3.1)', async () => {
    const server = fixture(options)
    const { response, ...others } = redirected(await server.authorize({ response_mode }))
    expect(others).toEqual({})
    const claims = claimsIn(response as string) as { code: string }
    expect(claims).toEqual({
      iss: ISSUER,
      aud: 'spa',
      exp: now() / 1000 + 600,
      iat: expect.any(Number),
      code: expect.stringMatching(/^[\w-]{52}$/),
      state: 'a state',
    })
    expect((await server.exchange(claims.code)).status).toBe(200)
  })

  it('signs errors as well (JARM §2.1)', async () => {
    const { response } = redirected(
      await fixture(options).authorize({ response_mode, response_type: 'token' }),
    )
    expect(claimsIn(response as string)).toMatchObject({
      iss: ISSUER,
      aud: 'spa',
      error: 'unsupported_response_type',
      state: 'a state',
    })
  })
})

describe('signed responses', () => {
  it('are posted with form_post.jwt (JARM §2.3.3)', async () => {
    const { text } = await fixture(options).authorize({ response_mode: 'form_post.jwt' })
    expect(text).toContain(`action="${CALLBACK}"`)
    const fields = [...text.matchAll(/name="([^"]*)" value="([^"]*)"/g)].filter(
      ([, name]) => name !== 'viewport',
    )
    expect(fields.map(([, name]) => name)).toEqual(['response'])
    expect(claimsIn(fields[0]?.[2] as string)).toMatchObject({ aud: 'spa', state: 'a state' })
  })

  it('are signed by the algorithm that the client registered (JARM §3)', async () => {
    const clients: Client[] = [{ ...(CLIENTS[0] as Client), authorization_signed_response_alg: 'RS256' }]
    const { response } = redirected(
      await fixture({ ...options, clients }).authorize({ response_mode: 'jwt' }),
    )
    expect(headerOf(response as string)).toMatchObject({ alg: 'RS256' })
    claimsIn(response as string, RS256)
  })

  it('refuses at the start a client whose algorithm no key makes', () => {
    const clients: Client[] = [{ ...(CLIENTS[0] as Client), authorization_signed_response_alg: 'PS256' }]
    expect(() => fixture({ ...options, clients })).toThrow('clients[0].authorization_signed_response_alg')
  })

  it('are never sent unsigned: where no key can sign, nothing is issued and the user is told', async () => {
    const publicJwk = fixture({ signingKeys: [ES256] }) && ES256.export({ format: 'jwk' })
    const { d: _d, ...bare } = publicJwk as Record<string, string>
    const down: Signer = {
      alg: 'ES256',
      kid: 'kms',
      publicJwk: bare,
      sign: () => Promise.reject(new Error('down')),
    }
    const server = fixture({ signingKeys: [down] })
    expectErrorPage(await server.authorize({ response_mode: 'jwt' }), 503)
    expect(server.eventsOf('code.issued')).toEqual([])
  })
})
