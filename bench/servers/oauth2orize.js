// oauth2orize as its docs tell: Passport authenticates the client, exchanges issue the tokens.

import { createHash, timingSafeEqual } from 'node:crypto'
import express from 'express'
import jwt from 'jsonwebtoken'
import oauth2orize from 'oauth2orize'
import passport from 'passport'
import ClientPassword from 'passport-oauth2-client-password'
import { CLIENT_SECRET, LIFETIMES } from '../scenarios.js'
import { accessTokenClaims, idTokenClaims } from './claims.js'
import { newToken, openGrantStore } from './grant-store.js'

const sha256 = (text) => createHash('sha256').update(text).digest()

/** Passport has no strategy of its own for clients without a secret. */
class PublicClient extends passport.Strategy {
  name = 'public-client'
  constructor(clients) {
    super()
    this.clients = clients
  }
  authenticate(req) {
    const client = this.clients.get(req.body?.client_id)
    if (client && !client.secretHash) this.success(client)
    else this.fail()
  }
}

/** @param {import('../scenarios.js').ServerOptions} options */
export async function start({ redisUrl, privateKey, kid, alg, keep, clientId }) {
  const store = openGrantStore(redisUrl, clientId)
  const clients = new Map([
    ['spa', { id: 'spa' }],
    ['web', { id: 'web', secretHash: sha256(CLIENT_SECRET) }],
  ])
  const authentication = new passport.Passport()
  authentication.use(
    new ClientPassword.Strategy((id, secret, done) => {
      const client = clients.get(id)
      const good = client?.secretHash && timingSafeEqual(sha256(secret), client.secretHash)
      done(null, good ? client : false)
    }),
  )
  authentication.use(new PublicClient(clients))

  const sign = (typ, claims) => jwt.sign(claims, privateKey, { algorithm: alg, header: { alg, typ, kid } })
  const issue = (grant, refreshToken, done, nonce) =>
    done(null, sign('at+jwt', accessTokenClaims(grant)), refreshToken, {
      expires_in: LIFETIMES.accessToken,
      scope: grant.scope,
      id_token: sign('JWT', idTokenClaims(grant, nonce)),
    })

  const server = oauth2orize.createServer()
  server.exchange(
    oauth2orize.exchange.code((client, code, redirectUri, body, done) => {
      const next = newToken()
      store.redeem(code, next).then((grant) => {
        if (grant?.client_id !== client.id || grant.redirect_uri !== redirectUri) return done(null, false)
        const challenge = Buffer.from(grant.code_challenge, 'base64url')
        if (!timingSafeEqual(sha256(body.code_verifier ?? ''), challenge)) return done(null, false)
        issue(grant, next, done, grant.nonce)
      }, done)
    }),
  )
  server.exchange(
    oauth2orize.exchange.refreshToken((client, token, _scope, done) => {
      const next = keep ? token : newToken()
      const found = keep ? store.keep(token) : store.rotate(token, next)
      found.then((grant) => {
        if (grant?.client_id !== client.id) return done(null, false)
        issue(grant, next, done)
      }, done)
    }),
  )

  const app = express()
  app.post(
    '/token',
    express.urlencoded({ extended: false }),
    authentication.authenticate(['oauth2-client-password', 'public-client'], { session: false }),
    server.token(),
    server.errorHandler(),
  )
  return { listener: app, path: '/token', issueCode: store.issueCode }
}
