// What one would write instead of using a library: Express 5, express.urlencoded, one Redis script, two jsonwebtoken.sign
// calls with a KeyObject, res.json. The measure of all others. It does what the scenarios need and no more: there is no
// replay detection, no rate limit, no CORS, no revocation, no index by user, no event.
import { createHash, timingSafeEqual } from 'node:crypto'
import express from 'express'
import jwt from 'jsonwebtoken'
import { CLIENT_SECRET, LIFETIMES } from '../scenarios.js'
import { accessTokenClaims, idTokenClaims } from './claims.js'
import { newToken, openGrantStore } from './grant-store.js'

const sha256 = (text) => createHash('sha256').update(text).digest()

/** @param {import('../scenarios.js').ServerOptions} options */
export async function start(options) {
  const { redisUrl, clientId, privateKey, alg, kid } = options
  const sign = (typ, claims) => jwt.sign(claims, privateKey, { algorithm: alg, header: { alg, typ, kid } })
  return serve(options, { store: openGrantStore(redisUrl, clientId), sign, settings: {} })
}

/** @param {import('../scenarios.js').ServerOptions} options */
export function serve({ keep }, { store, sign, settings }) {
  const clients = new Map([
    ['spa', { client_id: 'spa' }],
    ['web', { client_id: 'web', secretHash: sha256(CLIENT_SECRET) }],
  ])
  const app = express()
  for (const [name, value] of Object.entries(settings)) app.set(name, value)
  app.post('/token', express.urlencoded({ extended: false }), async (req, res) => {
    const { grant_type, client_id, client_secret, code, code_verifier, redirect_uri, refresh_token } =
      req.body
    const refuse = (error, status = 400) => res.status(status).json({ error })
    const client = clients.get(client_id)
    if (!client) return refuse('invalid_client', 401)
    if (client.secretHash && !timingSafeEqual(sha256(client_secret ?? ''), client.secretHash)) {
      return refuse('invalid_client', 401)
    }

    const isCode = grant_type === 'authorization_code'
    if (!isCode && grant_type !== 'refresh_token') return refuse('unsupported_grant_type')
    const next = !isCode && keep ? refresh_token : newToken()
    const grant = isCode
      ? await store.redeem(code, next)
      : await (keep ? store.keep(refresh_token) : store.rotate(refresh_token, next))
    if (grant?.client_id !== client_id) return refuse('invalid_grant')
    if (isCode) {
      if (redirect_uri !== grant.redirect_uri) return refuse('invalid_grant')
      const challenge = Buffer.from(grant.code_challenge, 'base64url')
      if (!timingSafeEqual(sha256(code_verifier ?? ''), challenge)) return refuse('invalid_grant')
    }

    res.set({ 'Cache-Control': 'no-store', Pragma: 'no-cache' })
    res.json({
      access_token: sign('at+jwt', accessTokenClaims(grant)),
      token_type: 'Bearer',
      expires_in: LIFETIMES.accessToken,
      scope: grant.scope,
      refresh_token: next,
      id_token: sign('JWT', idTokenClaims(grant, isCode ? grant.nonce : undefined)),
    })
  })
  return { listener: app, path: '/token', issueCode: store.issueCode }
}
