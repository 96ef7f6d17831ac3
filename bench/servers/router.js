// The router of this library, from ../dist: rate limits, CORS and events on, as they are unless told otherwise.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, request as httpRequest } from 'node:http'
import { createTokenRouter, hashClientSecret, redisStore } from '../../dist/index.js'
import { subjectKey } from '../../dist/tokens/link.js'
import {
  AUDIENCE,
  CHALLENGE,
  CLIENT_SECRET,
  ISSUER,
  LIFETIMES,
  NONCE,
  REDIRECT_URI,
  SCOPE,
  VERIFIER,
} from '../scenarios.js'

/** @param {import('../scenarios.js').ServerOptions} options */
export async function startRouter({ redisUrl, privateKey, kid, clientId, clients = [] }) {
  const both = { redirect_uris: [REDIRECT_URI], grant_types: ['authorization_code', 'refresh_token'] }
  let events = 0
  let request
  const store = redisStore({ url: redisUrl })
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
    store,
    lifetimes: {
      codeSeconds: LIFETIMES.code,
      accessTokenSeconds: LIFETIMES.accessToken,
      idTokenSeconds: LIFETIMES.idToken,
      refreshIdleSeconds: LIFETIMES.refreshToken,
    },
    onEvent: () => events++,
  })

  const query = new URLSearchParams({
    response_type: 'code',
    client_id: clientId,
    redirect_uri: REDIRECT_URI,
    scope: SCOPE,
    nonce: NONCE,
    code_challenge: CHALLENGE,
    code_challenge_method: 'S256',
  })
  let listening
  async function listen() {
    const server = createServer(oauth).listen(0, '127.0.0.1')
    await once(server, 'listening')
    server.unref()
    return server.address().port
  }
  // Not by `fetch`, which would add its own to the memory and the start-up of the server.
  const send = async (method, path, body) => {
    listening ??= listen()
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const sent = httpRequest({ port: await listening, method, path, headers }).end(body)
    const [response] = await once(sent, 'response')
    response.resume()
    return response.statusCode
  }
  // An authorization request, as a browser makes it: codes for many users are issued for the same one. Only in a process that
  // issues codes: the others are measured.
  let authorized
  async function issueCode(subject) {
    authorized ??= send('GET', `/oauth/authorize?${query}`)
    await authorized
    return (await oauth.issueCode(request, { subject })).code
  }
  /** A live grant, whose code has been redeemed. */
  async function issueGrant(subject) {
    const form = new URLSearchParams({
      grant_type: 'authorization_code',
      client_id: clientId,
      code: await issueCode(subject),
      redirect_uri: REDIRECT_URI,
      code_verifier: VERIFIER,
    })
    const status = await send('POST', '/oauth/token', String(form))
    if (status !== 200) throw new Error(`no grant: ${status}`)
  }

  /** Many grants of many users at once: like one that came of a flow, by the store's own `insert`. */
  async function fill(count) {
    await issueGrant('the-first-of-many')
    const subjectOfIt = subjectKey(ISSUER, 'the-first-of-many')
    const {
      grants: [{ client, data }],
    } = await store.list(subjectOfIt)
    for (let done = 0; done < count; ) {
      const batch = Math.min(1000, count - done)
      done += batch
      await Promise.all(
        Array.from({ length: batch }, () => {
          const random = randomBytes(26)
          const partition = random.toString('hex', 0, 2)
          return store.insert({
            key: `${partition}.${random.toString('base64url', 2, 14)}`,
            subject: `${partition}.${random.toString('base64url', 14, 26)}`,
            client,
            data,
            link: 1,
            expiresIn: LIFETIMES.refreshToken,
            endsIn: 3 * LIFETIMES.refreshToken,
          })
        }),
      )
    }
  }
  return { oauth, issueCode, issueGrant, fill }
}
