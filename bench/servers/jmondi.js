// @jmondi/oauth2-server as its docs tell, with opaque codes and refresh tokens: its default makes them JWTs, which would be
// one more signature and one more verification for each request. It has no ID tokens, so its grants are extended by one.
import { createHash, timingSafeEqual } from 'node:crypto'
import { AuthCodeGrant, AuthorizationServer, DateInterval, RefreshTokenGrant } from '@jmondi/oauth2-server'
import { handleExpressError, handleExpressResponse, requestFromExpress } from '@jmondi/oauth2-server/express'
import express from 'express'
import jwt from 'jsonwebtoken'
import { AUDIENCE, CLIENT_SECRET, ISSUER, LIFETIMES } from '../scenarios.js'
import { idTokenClaims } from './claims.js'
import { newToken, openGrantStore } from './grant-store.js'

const sha256 = (text) => createHash('sha256').update(text).digest()
const inSeconds = (seconds) => new Date(Date.now() + seconds * 1000)

/** @param {import('../scenarios.js').ServerOptions} options */
export async function start({ redisUrl, privateKey, kid, alg, clientId }) {
  const store = openGrantStore(redisUrl, clientId)
  const common = { redirectUris: [], allowedGrants: ['authorization_code', 'refresh_token'], scopes: [] }
  const clients = new Map([
    ['spa', { ...common, id: 'spa', name: 'spa' }],
    ['web', { ...common, id: 'web', name: 'web', secret: sha256(CLIENT_SECRET) }],
  ])
  const sign = (typ, claims) => jwt.sign(claims, privateKey, { algorithm: alg, header: { alg, typ, kid } })
  const scopesOf = (grant) => grant.scope.split(' ').map((name) => ({ name }))
  const userOf = ({ sub, auth_time, nonce }) => ({ id: sub, auth_time, nonce })

  const clientRepository = {
    getByIdentifier: async (id) => clients.get(id),
    isClientValid: async (_grantType, client, secret) =>
      !client.secret || timingSafeEqual(sha256(secret ?? ''), client.secret),
  }
  const scopeRepository = {
    getAllByIdentifiers: async (names) => names.map((name) => ({ name })),
    finalize: async (scopes) => scopes,
  }
  const tokenRepository = {
    issueToken: async (client, scopes, user) => ({
      accessToken: newToken(),
      accessTokenExpiresAt: inSeconds(LIFETIMES.accessToken),
      client,
      user,
      scopes,
    }),
    async issueRefreshToken(token, client) {
      token.refreshToken = newToken()
      token.refreshTokenExpiresAt = inSeconds(LIFETIMES.refreshToken)
      const scope = token.scopes.map(({ name }) => name).join(' ')
      const { id, auth_time } = token.user
      await store.saveToken(token.refreshToken, { sub: id, auth_time, client_id: client.id, scope })
      return token
    },
    // Access tokens are JWTs: what is kept is the refresh token, just below.
    persist: async () => {},
    revoke: ({ refreshToken }) => store.deleteToken(refreshToken),
    isRefreshTokenRevoked: async () => false,
    async getByRefreshToken(refreshToken) {
      const grant = await store.findToken(refreshToken)
      if (!grant) throw new Error('invalid_grant')
      return {
        accessToken: '',
        accessTokenExpiresAt: new Date(0),
        refreshToken,
        client: clients.get(grant.client_id),
        user: userOf(grant),
        scopes: scopesOf(grant),
      }
    },
  }
  // The library asks for the code, then for its user, by the id that the code names.
  const users = new Map()
  const authCodeRepository = {
    async getByIdentifier(code) {
      const grant = await store.findCode(code)
      if (!grant) throw new Error('invalid_grant')
      users.set(grant.sub, userOf(grant))
      return {
        code,
        redirectUri: grant.redirect_uri,
        codeChallenge: grant.code_challenge,
        codeChallengeMethod: 'S256',
        // Redis ends it; the library wants a date.
        expiresAt: inSeconds(LIFETIMES.code),
        client: clients.get(grant.client_id),
        user: userOf(grant),
        scopes: scopesOf(grant),
      }
    },
    isRevoked: async () => false,
    revoke: (code) => store.deleteCode(code),
  }
  const userRepository = {
    async getUserByCredentials(id) {
      const user = users.get(id)
      users.delete(id)
      return user
    },
  }

  const jwtService = {
    sign: async (claims) => sign('at+jwt', claims),
    verify: async (token) => jwt.verify(token, privateKey),
    decode: (token) => jwt.decode(token),
    extraTokenFields: ({ client }) => ({ iss: ISSUER, aud: AUDIENCE, client_id: client.id }),
  }
  const withIdToken = (Grant) =>
    class extends Grant {
      async makeBearerTokenResponse(client, token, scopes, extra) {
        const response = await super.makeBearerTokenResponse(client, token, scopes, extra)
        const { id: sub, auth_time, nonce } = token.user
        const isCode = this.identifier === 'authorization_code'
        const claims = idTokenClaims({ sub, auth_time, client_id: client.id }, isCode ? nonce : undefined)
        response.body.id_token = sign('JWT', claims)
        return response
      }
    }
  const options = {
    issuer: ISSUER,
    requiresPKCE: true,
    useOpaqueAuthorizationCodes: true,
    useOpaqueRefreshTokens: true,
  }
  const server = new AuthorizationServer(
    clientRepository,
    tokenRepository,
    scopeRepository,
    jwtService,
    options,
  )
  const parts = [clientRepository, tokenRepository, scopeRepository, jwtService, server.options]
  const lifetime = new DateInterval(`${LIFETIMES.accessToken}s`)
  server.enableGrantTypes(
    [{ grant: new (withIdToken(RefreshTokenGrant))(...parts) }, lifetime],
    [{ grant: new (withIdToken(AuthCodeGrant))(authCodeRepository, userRepository, ...parts) }, lifetime],
  )

  const app = express()
  app.post('/token', express.urlencoded({ extended: false }), async (req, res) => {
    try {
      handleExpressResponse(res, await server.respondToAccessTokenRequest(requestFromExpress(req)))
    } catch (error) {
      handleExpressError(error, res)
    }
  })
  return { listener: app, path: '/token', issueCode: store.issueCode }
}
