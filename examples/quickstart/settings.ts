// What the environment says, read once and in one place.
import { generateKeyPairSync, randomBytes } from 'node:crypto'

const { env } = process

export const port = Number(env.PORT || 3000)
/** Only this machine can reach the demo unless told: its one password is in its source. */
export const host = env.HOST || '127.0.0.1'
export const origin = `http://localhost:${port}`
export const issuer = `${origin}/oauth`

export const redisUrl = env.REDIS_URL || undefined
export const dataFile = env.DATA_FILE || undefined
export const limitRequests = env.RATE_LIMIT !== 'off'
export const overlap = Number(env.OVERLAP || 60)

/**
 * A real app never makes these at start: they live in its secret store, next to the database password. Losing
 * `secret` ends every grant, a new signing key ends every access token; and several processes behind one address
 * need to share them, and the store, to know each other's tokens.
 */
export const secret = env.OAUTH_SECRET || randomBytes(32).toString('base64url')
export const signingKey =
  env.OAUTH_SIGNING_KEY || generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
export const sessionSecret = env.SESSION_SECRET || randomBytes(32).toString('base64url')

/** Said at start, so that nobody wonders why a restart signed everybody out. */
export const madeAtStart = [
  !env.OAUTH_SECRET && 'OAUTH_SECRET',
  !env.OAUTH_SIGNING_KEY && 'OAUTH_SIGNING_KEY',
  !env.SESSION_SECRET && 'SESSION_SECRET',
].filter((name) => name !== false)
