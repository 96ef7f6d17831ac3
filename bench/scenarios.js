// What is measured, and the terms that all servers share: the same clients, lifetimes, scope and request bodies.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

export const ISSUER = 'https://op.example/oauth'
export const AUDIENCE = 'https://api.example'
export const SCOPE = 'openid offline_access'
export const REDIRECT_URI = 'https://client.example/callback'
export const VERIFIER = 'the-verifier-of-all-codes-is-43-characters-or-more'
export const CHALLENGE = createHash('sha256').update(VERIFIER).digest('base64url')
export const NONCE = 'n-0S6_WzA2Mj'
export const CLIENT_SECRET = 'pN0Yw5Xh2mQk8sVb4tLz6RcJ1fGd7aEuKiOyBnMqWxT'

/** Seconds. */
export const LIFETIMES = { code: 60, accessToken: 600, idToken: 600, refreshToken: 30 * 24 * 3600 }

/** `spa` is public, `web` authenticates by client_secret_post, the one way that every server here knows. */
const PUBLIC = { clientId: 'spa', credentials: 'client_id=spa' }
const CONFIDENTIAL = { clientId: 'web', credentials: `client_id=web&client_secret=${CLIENT_SECRET}` }

/**
 * `step` is what one request does: `rotate` gets a new refresh token, `keep` keeps its own, `code` redeems a code.
 *
 * @typedef {{ name: string, title: string, alg: 'ES256' | 'RS256', step: 'rotate' | 'keep' | 'code',
 *   client: { clientId: string, credentials: string } }} Scenario
 * @type {readonly Scenario[]}
 */
export const SCENARIOS = [
  { name: 'es256-rotate', title: 'ES256 rotate', alg: 'ES256', step: 'rotate', client: PUBLIC },
  { name: 'es256-keep', title: 'ES256 keep', alg: 'ES256', step: 'keep', client: CONFIDENTIAL },
  { name: 'es256-code', title: 'ES256 code', alg: 'ES256', step: 'code', client: PUBLIC },
  { name: 'rs256-rotate', title: 'RS256 rotate', alg: 'RS256', step: 'rotate', client: PUBLIC },
]

const { dependencies } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'))

function peer(name, library, more = {}) {
  return { name, title: `${library} ${dependencies[library]}`, ...more }
}

/** In the order of the table; `keeps: false` where a server can only rotate. */
export const SERVERS = [
  { name: 'floor', title: 'bare node:http, raw crypto, one script (the floor)' },
  { name: 'ours-bare', title: '**this library, bare node:http**' },
  { name: 'ours', title: '**this library, Express 5**' },
  peer('mcp-sdk', '@modelcontextprotocol/sdk'),
  { name: 'hand-written-tuned', title: 'hand-written on Express 5, by somebody who has profiled it' },
  { name: 'hand-written', title: 'hand-written on Express 5' },
  peer('jmondi', '@jmondi/oauth2-server', { keeps: false }),
  peer('node-oauth', '@node-oauth/oauth2-server'),
  peer('oauth2orize', 'oauth2orize'),
  peer('oidc-provider', 'oidc-provider'),
]

/**
 * What each file in servers/ exports as `start`.
 *
 * @typedef {{ redisUrl: string, privateKey: import('node:crypto').KeyObject, kid: string, alg: 'ES256' | 'RS256',
 *   keep: boolean, clientId: string }} ServerOptions
 * @typedef {{ listener: import('node:http').RequestListener, path: string,
 *   issueCode: (subject: string) => Promise<string> }} Server
 */

/** The body of a token request, but for the token at its end. */
export function bodyOf(step, { credentials }) {
  return step === 'code'
    ? `grant_type=authorization_code&${credentials}&code_verifier=${VERIFIER}&redirect_uri=${encodeURIComponent(REDIRECT_URI)}&code=`
    : `grant_type=refresh_token&${credentials}&refresh_token=`
}
