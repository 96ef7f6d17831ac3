// A JWS by node:crypto alone, as one would write it who has seen in a profile what jsonwebtoken adds.
import { sign as cryptoSign } from 'node:crypto'

const base64url = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** @param {Pick<import('../scenarios.js').ServerOptions, 'alg' | 'kid' | 'privateKey'>} options */
export function rawSign({ alg, kid, privateKey }) {
  const key = alg === 'ES256' ? { key: privateKey, dsaEncoding: 'ieee-p1363' } : privateKey
  const headers = {
    'at+jwt': base64url({ alg, typ: 'at+jwt', kid }),
    JWT: base64url({ alg, typ: 'JWT', kid }),
  }
  return (typ, claims) => {
    const input = `${headers[typ]}.${base64url(claims)}`
    return `${input}.${cryptoSign('sha256', Buffer.from(input), key).toString('base64url')}`
  }
}
