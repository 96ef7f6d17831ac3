// What the environment says, read once and in one place.
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { join } from 'node:path'

const { env } = process

export const port = Number(env.PORT || 3000)
/** Only this machine can reach the demo unless told: its passwords are in its source. */
export const host = env.HOST || '127.0.0.1'
/** The URL that names this server. Its host is what browsers and clients reach it by, and its certificate is for. */
export const issuer = env.ISSUER || `https://localhost:${port}/oauth`
export const { origin, hostname } = new URL(issuer)

export const clientsFile = env.CLIENTS_FILE || join(__dirname, 'clients.json')

export const redisUrl = env.REDIS_URL || undefined
export const dataFile = env.DATA_FILE || undefined
export const codeReplaySeconds = Number(env.CODE_REPLAY_SECONDS || 5)

/**
 * A real app never makes these at start, but takes them from its secret store: losing `secret` ends every grant, and new
 * signing keys end every token. The first key signs, and is an RSA key: each OpenID provider can sign by RS256 (OpenID
 * Connect Core §15.1). A client may be registered for the other.
 */
export const secret = env.OAUTH_SECRET || randomBytes(32).toString('base64url')
export const signingKeys = [
  env.OAUTH_RSA_KEY || generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
  env.OAUTH_EC_KEY || generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
]
export const sessionSecret = env.SESSION_SECRET || randomBytes(32).toString('base64url')
