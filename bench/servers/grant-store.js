// Grants as one would keep them in Redis by hand: one value under the current token, one script to exchange it for the
// next. For the hand-written server, the floor, and the libraries that leave storage to their users.
import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import { CHALLENGE, LIFETIMES, NONCE, REDIRECT_URI, SCOPE } from '../scenarios.js'

export const newToken = () => randomBytes(32).toString('base64url')

/** Spends a token and, if it was good, keeps the same grant under the next one. */
const EXCHANGE = `
local grant = redis.call('GETDEL', KEYS[1])
if grant then redis.call('SET', KEYS[2], grant, 'EX', ARGV[1]) end
return grant`

export function openGrantStore(redisUrl, clientId, redisOptions = {}) {
  const redis = new Redis(redisUrl, redisOptions)
  redis.defineCommand('exchange', { lua: EXCHANGE, numberOfKeys: 2 })
  const parse = (text) => (text === null ? undefined : JSON.parse(text))
  const codeKey = (code) => `code:${code}`
  const refreshKey = (token) => `refresh:${token}`

  return {
    redis,
    /** The grant of a code, which is spent; from here it belongs to the refresh token `next`. */
    redeem: async (code, next) =>
      parse(await redis.exchange(codeKey(code), refreshKey(next), LIFETIMES.refreshToken)),
    rotate: async (token, next) =>
      parse(await redis.exchange(refreshKey(token), refreshKey(next), LIFETIMES.refreshToken)),
    keep: async (token) => parse(await redis.getex(refreshKey(token), 'EX', LIFETIMES.refreshToken)),

    // The single steps, for libraries that ask for them one by one.
    findCode: async (code) => parse(await redis.get(codeKey(code))),
    deleteCode: async (code) => (await redis.del(codeKey(code))) === 1,
    findToken: async (token) => parse(await redis.get(refreshKey(token))),
    deleteToken: async (token) => (await redis.del(refreshKey(token))) === 1,
    saveToken: (token, grant) =>
      redis.set(refreshKey(token), JSON.stringify(grant), 'EX', LIFETIMES.refreshToken),

    async issueCode(sub) {
      const code = newToken()
      const grant = {
        sub,
        client_id: clientId,
        scope: SCOPE,
        auth_time: Math.floor(Date.now() / 1000),
        redirect_uri: REDIRECT_URI,
        code_challenge: CHALLENGE,
        nonce: NONCE,
      }
      await redis.set(codeKey(code), JSON.stringify(grant), 'EX', LIFETIMES.code)
      return code
    },
  }
}
