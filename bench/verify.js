// Verifies the tokens of a response: both signatures, by node:crypto alone, and what they say.
import { verify } from 'node:crypto'
import { AUDIENCE, ISSUER, SCOPE } from './scenarios.js'

/** @throws when a token is not what it should be. */
export function verifyTokens({ access_token, id_token }, { alg, client }, publicKey) {
  const access = claimsOf(access_token, alg, publicKey)
  const id = claimsOf(id_token, alg, publicKey)
  const now = Date.now() / 1000
  const wrong = [
    !/^user-\d+$/.test(access.sub) && 'sub',
    access.sub !== id.sub && 'sub of the ID token',
    id.iss !== ISSUER && 'iss',
    ![id.aud].flat().includes(client.clientId) && 'aud of the ID token',
    ![access.aud].flat().includes(AUDIENCE) && 'aud of the access token',
    access.scope !== SCOPE && 'scope',
    !(access.exp > now && id.exp > now) && 'exp',
  ].filter(Boolean)
  if (wrong.length > 0)
    throw new Error(`wrong in the tokens: ${wrong.join(', ')}: ${JSON.stringify({ access, id })}`)
}

function claimsOf(jws, alg, publicKey) {
  const [header, payload, signature] = jws.split('.')
  const json = (part) => JSON.parse(Buffer.from(part, 'base64url'))
  const key = { key: publicKey, dsaEncoding: 'ieee-p1363' }
  const good =
    json(header).alg === alg &&
    verify('sha256', Buffer.from(`${header}.${payload}`), key, Buffer.from(signature, 'base64url'))
  if (!good) throw new Error(`a signature is not good: ${jws}`)
  return json(payload)
}
