// The floor: the same work with nothing around it. Bare node:http, crypto.sign with a KeyObject, one Redis script. It
// checks hardly anything; it shows what is left to save.
import { createHash, sign as cryptoSign, timingSafeEqual } from 'node:crypto'
import { CLIENT_SECRET, LIFETIMES } from '../scenarios.js'
import { accessTokenClaims, idTokenClaims } from './claims.js'
import { newToken, openGrantStore } from './grant-store.js'

const sha256 = (text) => createHash('sha256').update(text).digest()
const base64url = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** @param {import('../scenarios.js').ServerOptions} options */
export async function start({ redisUrl, privateKey, kid, alg, keep, clientId }) {
  const store = openGrantStore(redisUrl, clientId)
  const secretHash = sha256(CLIENT_SECRET)
  const key = alg === 'ES256' ? { key: privateKey, dsaEncoding: 'ieee-p1363' } : privateKey
  const headers = {
    'at+jwt': base64url({ alg, typ: 'at+jwt', kid }),
    JWT: base64url({ alg, typ: 'JWT', kid }),
  }
  const sign = (typ, claims) => {
    const input = `${headers[typ]}.${base64url(claims)}`
    return `${input}.${cryptoSign('sha256', Buffer.from(input), key).toString('base64url')}`
  }

  async function answer(body, res) {
    const form = new URLSearchParams(body)
    const client = form.get('client_id')
    const isCode = form.get('grant_type') === 'authorization_code'
    const token = form.get(isCode ? 'code' : 'refresh_token')
    const next = !isCode && keep ? token : newToken()
    const grant = await (isCode
      ? store.redeem(token, next)
      : keep
        ? store.keep(token)
        : store.rotate(token, next))
    const good =
      grant?.client_id === client &&
      (client !== 'web' || timingSafeEqual(sha256(form.get('client_secret')), secretHash)) &&
      (!isCode || sha256(form.get('code_verifier')).toString('base64url') === grant.code_challenge)
    const text = JSON.stringify(
      good
        ? {
            access_token: sign('at+jwt', accessTokenClaims(grant)),
            token_type: 'Bearer',
            expires_in: LIFETIMES.accessToken,
            scope: grant.scope,
            refresh_token: next,
            id_token: sign('JWT', idTokenClaims(grant, isCode ? grant.nonce : undefined)),
          }
        : { error: 'invalid_grant' },
    )
    res.writeHead(good ? 200 : 400, {
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(text),
      'Cache-Control': 'no-store',
    })
    res.end(text)
  }

  function listener(req, res) {
    let body = ''
    req.setEncoding('latin1')
    req.on('data', (chunk) => (body += chunk))
    req.on('end', () => answer(body, res))
  }
  return { listener, path: '/token', issueCode: store.issueCode }
}
