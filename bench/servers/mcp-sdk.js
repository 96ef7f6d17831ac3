// The token handler of the MCP SDK with a thin provider. Its rate limit is off: it would refuse the 51st request.
import { tokenHandler } from '@modelcontextprotocol/sdk/server/auth/handlers/token.js'
import express from 'express'
import jwt from 'jsonwebtoken'
import { CLIENT_SECRET, LIFETIMES } from '../scenarios.js'
import { accessTokenClaims, idTokenClaims } from './claims.js'
import { newToken, openGrantStore } from './grant-store.js'

/** @param {import('../scenarios.js').ServerOptions} options */
export async function start({ redisUrl, privateKey, kid, alg, keep, clientId }) {
  const store = openGrantStore(redisUrl, clientId)
  const clients = new Map([
    ['spa', { client_id: 'spa' }],
    ['web', { client_id: 'web', client_secret: CLIENT_SECRET }],
  ])
  const sign = (typ, claims) => jwt.sign(claims, privateKey, { algorithm: alg, header: { alg, typ, kid } })
  const tokens = (client, grant, refreshToken, nonce) => {
    if (grant?.client_id !== client.client_id) throw new Error('invalid_grant')
    return {
      access_token: sign('at+jwt', accessTokenClaims(grant)),
      token_type: 'Bearer',
      expires_in: LIFETIMES.accessToken,
      scope: grant.scope,
      refresh_token: refreshToken,
      id_token: sign('JWT', idTokenClaims(grant, nonce)),
    }
  }

  const provider = {
    clientsStore: { getClient: (id) => clients.get(id) },
    challengeForAuthorizationCode: async (_client, code) => (await store.findCode(code))?.code_challenge,
    async exchangeAuthorizationCode(client, code, _verifier, redirectUri) {
      const next = newToken()
      const grant = await store.redeem(code, next)
      if (grant?.redirect_uri !== redirectUri) throw new Error('invalid_grant')
      return tokens(client, grant, next, grant.nonce)
    },
    async exchangeRefreshToken(client, token) {
      if (keep) return tokens(client, await store.keep(token), token)
      const next = newToken()
      return tokens(client, await store.rotate(token, next), next)
    },
  }
  const app = express()
  app.use('/token', tokenHandler({ provider, rateLimit: false }))
  return { listener: app, path: '/token', issueCode: store.issueCode }
}
