import { generateKeyPairSync } from 'node:crypto'
import { verifyIdTokenHint } from '../../lib/tokens/id-token'
import { createSigningKeys } from '../../lib/tokens/signing-keys'
import { APPROVAL, claimsOf, ES256, fixture, headerOf, ISSUER, jws } from '../support/fixture'

const keys = createSigningKeys([ES256])
const hint = (token: string) => verifyIdTokenHint(token, keys, { issuer: ISSUER })

async function anIdToken(sid?: string) {
  const { id_token, access_token } = await fixture({ approval: { ...APPROVAL, sid } }).tokens()
  return { id_token, access_token, header: headerOf(id_token), claims: claimsOf(id_token) }
}

describe('an id_token_hint (OIDC Core §3.1.2.1, RP-Initiated Logout §2)', () => {
  it('says user, session and client of an ID token of ours', async () => {
    expect(hint((await anIdToken('session-1')).id_token)).toEqual({
      sub: 'alice',
      sid: 'session-1',
      aud: 'spa',
    })
    expect(hint((await anIdToken()).id_token)).toEqual({ sub: 'alice', sid: undefined, aud: 'spa' })
  })

  it('is good though it has expired (RP-Initiated Logout §4)', async () => {
    const { header, claims } = await anIdToken()

    expect(hint(jws(header, { ...claims, iat: 1, exp: 2 }))).toMatchObject({ sub: 'alice' })
  })

  it('is not an access token, nor any other JWT of ours (RFC 8725 §3.11)', async () => {
    const { access_token, header, claims } = await anIdToken()

    expect(hint(access_token)).toBeUndefined()
    for (const typ of [undefined, 'at+jwt', 'logout+jwt', 1])
      expect(hint(jws({ ...header, typ }, claims))).toBeUndefined()
  })

  it('is not of another issuer that has the same key', async () => {
    const { header, claims } = await anIdToken()

    expect(hint(jws(header, { ...claims, iss: `${ISSUER}/other` }))).toBeUndefined()
  })

  it.each([
    ['no sub', { sub: undefined }],
    ['a sub that is no string', { sub: 1 }],
    ['several audiences', { aud: ['spa', 'web'] }],
    ['no aud', { aud: undefined }],
  ])('does not have %s', async (_what, changed) => {
    const { header, claims } = await anIdToken()

    expect(hint(jws(header, { ...claims, ...changed }))).toBeUndefined()
  })

  it('is signed by a key of ours, and no other makes one', async () => {
    const { id_token, header, claims } = await anIdToken()
    const [head, body, signature] = id_token.split('.') as [string, string, string]
    const others = createSigningKeys([generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey])

    expect(verifyIdTokenHint(id_token, others, { issuer: ISSUER })).toBeUndefined()
    expect(hint(`${head}.${body}.${signature.replace(/^./, (c) => (c === 'A' ? 'B' : 'A'))}`)).toBeUndefined()
    expect(hint(`${head}.${body}.`)).toBeUndefined()
    expect(hint(jws({ ...header, alg: 'none' }, claims, () => Buffer.alloc(0)))).toBeUndefined()
    expect(hint(jws({ ...header, crit: ['exp'] }, claims))).toBeUndefined()
    for (const garbage of ['', 'a.b.c', '.'.repeat(2), 'x'.repeat(100_000)])
      expect(hint(garbage)).toBeUndefined()
  })
})
