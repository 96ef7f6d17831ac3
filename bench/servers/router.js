// The router of this library, from ../dist: rate limits, CORS and events on, as they are unless told otherwise.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createTokenRouter, hashClientSecret } from '../../dist/index.js'
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
export async function startRouter({ redisUrl, privateKey, kid, clientId, clients = [] }) {
  const both = { redirect_uris: [REDIRECT_URI], grant_types: ['authorization_code', 'refresh_token'] }
  let events = 0
  let request
  const oauth = createTokenRouter({
    issuer: ISSUER,
    audience: AUDIENCE,
    secret: 'a-secret-of-at-least-thirty-two-bytes!',
    signingKeys: [{ key: privateKey, kid }],
    clients: [
      { ...both, client_id: 'spa', token_endpoint_auth_method: 'none' },
      {
        ...both,
        client_id: 'web',
        token_endpoint_auth_method: 'client_secret_post',
        client_secret_hash: hashClientSecret(CLIENT_SECRET),
      },
      ...clients,
    ],
    findAccount: () => ({}),
    authorize(asked) {
      request = asked
      return { error: 'access_denied' }
    },
    store: redisUrl,
    lifetimes: {
      codeSeconds: LIFETIMES.code,
      accessTokenSeconds: LIFETIMES.accessToken,
      idTokenSeconds: LIFETIMES.idToken,
      refreshIdleSeconds: LIFETIMES.refreshToken,
    },
    onEvent: () => events++,
  })

  // An authorization request, as a browser makes it: codes for many users are issued for the same one.
  const server = createServer(oauth).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: clientId,
    redirect_uri: REDIRECT_URI,
    scope: SCOPE,
    nonce: NONCE,
    code_challenge: CHALLENGE,
    code_challenge_method: 'S256',
  })
  await fetch(`http://127.0.0.1:${server.address().port}/oauth/authorize?${query}`, { redirect: 'manual' })
  server.close()
  const issueCode = async (subject) => (await oauth.issueCode(request, { subject })).code
  return { oauth, issueCode }
}
