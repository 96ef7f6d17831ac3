// The floor: the same work with nothing around it. Bare node:http, crypto.sign with a KeyObject, one Redis script. It
// checks hardly anything. Each command is written by itself, as ioredis does unless told otherwise.
import { createHash, timingSafeEqual } from 'node:crypto'
import { CLIENT_SECRET, LIFETIMES } from '../scenarios.js'
import { accessTokenClaims, idTokenClaims } from './claims.js'
import { newToken, openGrantStore } from './grant-store.js'
import { rawSign } from './raw-sign.js'

const sha256 = (text) => createHash('sha256').update(text).digest()

/** @param {import('../scenarios.js').ServerOptions} options */
export async function start(options) {
  const { redisUrl, keep, clientId } = options
  const store = openGrantStore(redisUrl, clientId)
  const sign = rawSign(options)
  const secretHash = sha256(CLIENT_SECRET)

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
