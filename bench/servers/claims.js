// The claims of the two tokens, for servers that leave them to the user: those of RFC 9068 and OpenID Connect Core.
import { randomUUID } from 'node:crypto'
import { AUDIENCE, ISSUER, LIFETIMES } from '../scenarios.js'

const now = () => Math.floor(Date.now() / 1000)

export function accessTokenClaims({ sub, client_id, scope }) {
  const iat = now()
  return {
    iss: ISSUER,
    sub,
    aud: AUDIENCE,
    client_id,
    scope,
    iat,
    exp: iat + LIFETIMES.accessToken,
    jti: randomUUID(),
  }
}

export function idTokenClaims({ sub, client_id, auth_time }, nonce) {
  const iat = now()
  return { iss: ISSUER, sub, aud: client_id, iat, exp: iat + LIFETIMES.idToken, auth_time, nonce }
}
