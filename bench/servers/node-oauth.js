// @node-oauth/oauth2-server as its docs tell: a model over Redis, access tokens that are JWTs by `generateAccessToken`, and
// an ID token as an extended attribute.
import { createHash, timingSafeEqual } from 'node:crypto'
import OAuth2Server from '@node-oauth/oauth2-server'
import express from 'express'
import jwt from 'jsonwebtoken'
import { CLIENT_SECRET, LIFETIMES } from '../scenarios.js'
import { accessTokenClaims, idTokenClaims } from './claims.js'
import { newToken, openGrantStore } from './grant-store.js'

const sha256 = (text) => createHash('sha256').update(text).digest()

/** @param {import('../scenarios.js').ServerOptions} options */
export async function start({ redisUrl, privateKey, kid, alg, keep, clientId }) {
  const store = openGrantStore(redisUrl, clientId)
  const grants = ['authorization_code', 'refresh_token']
  const clients = new Map([
    ['spa', { id: 'spa', grants }],
    ['web', { id: 'web', grants, secretHash: sha256(CLIENT_SECRET) }],
  ])
  const sign = (typ, claims) => jwt.sign(claims, privateKey, { algorithm: alg, header: { alg, typ, kid } })
  const grantOf = (client, user, scope) => ({ ...user, client_id: client.id, scope: scope.join(' ') })
  const found = ({ sub, auth_time, nonce, client_id, scope }) => ({
    user: { sub, auth_time, nonce },
    client: clients.get(client_id),
    scope: scope.split(' '),
  })

  const model = {
    getClient(id, secret) {
      const client = clients.get(id)
      if (!client?.secretHash) return client
      return timingSafeEqual(sha256(secret ?? ''), client.secretHash) ? client : undefined
    },
    async getAuthorizationCode(authorizationCode) {
      const grant = await store.findCode(authorizationCode)
      if (!grant) return undefined
      return {
        authorizationCode,
        // Redis ends it; the library wants a date.
        expiresAt: new Date(Date.now() + LIFETIMES.code * 1000),
        redirectUri: grant.redirect_uri,
        codeChallenge: grant.code_challenge,
        codeChallengeMethod: 'S256',
        ...found(grant),
      }
    },
    revokeAuthorizationCode: ({ authorizationCode }) => store.deleteCode(authorizationCode),
    async getRefreshToken(refreshToken) {
      const grant = await store.findToken(refreshToken)
      return grant && { refreshToken, ...found(grant) }
    },
    revokeToken: ({ refreshToken }) => store.deleteToken(refreshToken),
    generateAccessToken: (client, user, scope) =>
      sign('at+jwt', accessTokenClaims(grantOf(client, user, scope))),
    generateRefreshToken: newToken,
    async saveToken(token, client, { nonce, ...user }) {
      const grant = grantOf(client, user, token.scope)
      if (token.refreshToken) await store.saveToken(token.refreshToken, grant)
      return { ...token, client, user, id_token: sign('JWT', idTokenClaims(grant, nonce)) }
    },
  }

  const oauth = new OAuth2Server({
    model,
    accessTokenLifetime: LIFETIMES.accessToken,
    refreshTokenLifetime: LIFETIMES.refreshToken,
    alwaysIssueNewRefreshToken: !keep,
    allowExtendedTokenAttributes: true,
    requireClientAuthentication: { refresh_token: keep, authorization_code: false },
  })
  const app = express()
  app.post('/token', express.urlencoded({ extended: false }), async (req, res) => {
    const request = new OAuth2Server.Request(req)
    const response = new OAuth2Server.Response(res)
    try {
      await oauth.token(request, response)
    } catch (error) {
      response.status = error.code ?? 500
      response.body = { error: error.name, error_description: error.message }
    }
    res.set(response.headers).status(response.status).json(response.body)
  })
  return { listener: app, path: '/token', issueCode: store.issueCode }
}
