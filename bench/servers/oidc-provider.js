// oidc-provider as its docs tell: mounted in Express, access tokens as JWTs for one resource, an adapter for Redis in the
// shape of the one in its repository.
import express from 'express'
import { Redis } from 'ioredis'
import { Provider } from 'oidc-provider'
import {
  AUDIENCE,
  CHALLENGE,
  CLIENT_SECRET,
  ISSUER,
  LIFETIMES,
  NONCE,
  REDIRECT_URI,
  SCOPE,
} from '../scenarios.js'

/** @param {import('../scenarios.js').ServerOptions} options */
export async function start({ redisUrl, privateKey, kid, alg, keep, clientId }) {
  const both = {
    redirect_uris: [REDIRECT_URI],
    grant_types: ['authorization_code', 'refresh_token'],
    id_token_signed_response_alg: alg,
  }
  const provider = new Provider(ISSUER, {
    adapter: redisAdapter(new Redis(redisUrl)),
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid, alg, use: 'sig' }] },
    clients: [
      { ...both, client_id: 'spa', token_endpoint_auth_method: 'none' },
      {
        ...both,
        client_id: 'web',
        client_secret: CLIENT_SECRET,
        token_endpoint_auth_method: 'client_secret_post',
      },
    ],
    findAccount: (_ctx, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
    rotateRefreshToken: !keep,
    ttl: {
      AuthorizationCode: LIFETIMES.code,
      AccessToken: LIFETIMES.accessToken,
      IdToken: LIFETIMES.idToken,
      RefreshToken: LIFETIMES.refreshToken,
      Grant: LIFETIMES.refreshToken,
    },
    cookies: { keys: ['a-key-of-the-cookies-which-nothing-here-uses'] },
    features: {
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => AUDIENCE,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          scope: SCOPE,
          audience: AUDIENCE,
          accessTokenTTL: LIFETIMES.accessToken,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg } },
        }),
      },
    },
  })
  const app = express()
  app.use('/oauth', provider.callback())

  async function issueCode(accountId) {
    const grant = new provider.Grant({ accountId, clientId })
    grant.addOIDCScope(SCOPE)
    grant.addResourceScope(AUDIENCE, SCOPE)
    const grantId = await grant.save()
    const code = new provider.AuthorizationCode({
      accountId,
      client: await provider.Client.find(clientId),
      grantId,
      scope: SCOPE,
      resource: AUDIENCE,
      redirectUri: REDIRECT_URI,
      codeChallenge: CHALLENGE,
      codeChallengeMethod: 'S256',
      authTime: Math.floor(Date.now() / 1000),
      nonce: NONCE,
      gty: 'authorization_code',
    })
    return code.save()
  }
  return { listener: app, path: '/oauth/token', issueCode }
}

const CONSUMABLE = new Set([
  'AuthorizationCode',
  'RefreshToken',
  'DeviceCode',
  'BackchannelAuthenticationRequest',
])
const GRANTABLE = new Set([...CONSUMABLE, 'AccessToken'])

function redisAdapter(redis) {
  return class RedisAdapter {
    constructor(name) {
      this.consumable = CONSUMABLE.has(name)
      this.grantable = GRANTABLE.has(name)
      this.key = (id) => `oidc:${name}:${id}`
    }

    async upsert(id, payload, expiresIn) {
      const key = this.key(id)
      const text = JSON.stringify(payload)
      const multi = redis.multi()
      if (this.consumable) multi.hset(key, 'payload', text)
      else multi.set(key, text)
      if (expiresIn) multi.expire(key, expiresIn)
      if (this.grantable && payload.grantId) {
        const members = `oidc:grant:${payload.grantId}`
        multi.rpush(members, key)
        if (expiresIn > (await redis.ttl(members))) multi.expire(members, expiresIn)
      }
      await multi.exec()
    }

    async find(id) {
      if (!this.consumable) {
        const text = await redis.get(this.key(id))
        return text === null ? undefined : JSON.parse(text)
      }
      const { payload, ...rest } = await redis.hgetall(this.key(id))
      return payload === undefined ? undefined : { ...rest, ...JSON.parse(payload) }
    }

    async consume(id) {
      await redis.hset(this.key(id), 'consumed', Math.floor(Date.now() / 1000))
    }

    async destroy(id) {
      await redis.del(this.key(id))
    }

    async revokeByGrantId(grantId) {
      const members = `oidc:grant:${grantId}`
      await redis.del(members, ...(await redis.lrange(members, 0, -1)))
    }
  }
}
