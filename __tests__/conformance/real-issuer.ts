import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Client, hashClientSecret, type SigningAlgorithm, type SigningKeyInput } from '../../lib'
import { CALLBACK, CLIENTS, type Fixture, type FixtureOptions, fixture } from '../support/fixture'

/** What a form encoder changes, and where a decoder goes wrong (RFC 6749 §2.3.1, App. B). */
export const ODD_ID = "an id: 100%+~!*'()&=/"
export const ODD_SECRET = 'a secret: 25%25 + ~!*\'()&=/\\"?'

export const ALL_CLIENTS: readonly Client[] = [
  ...CLIENTS,
  {
    client_id: ODD_ID,
    client_secret_hash: hashClientSecret(ODD_SECRET),
    redirect_uris: [CALLBACK],
    grant_types: ['authorization_code', 'refresh_token'],
  },
]

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey

export const KEYS: { alg: SigningAlgorithm; key: SigningKeyInput }[] = [
  { alg: 'RS256', key: rsa },
  { alg: 'PS256', key: { key: rsa, alg: 'PS256' } },
  { alg: 'ES256', key: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey },
]

export interface RealIssuer extends Fixture {
  readonly issuer: string
  /** An API of the host's, which asks for each token whether its grant is alive. */
  readonly api: URL
}

const closing: (() => void)[] = []

/** A host app at a real address, which is its issuer. */
export async function startIssuer(options: FixtureOptions = {}): Promise<RealIssuer> {
  // The port is known before the issuer, and the issuer before the app.
  const server = createServer((req, res) => host.app(req, res)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const host = fixture({ issuer: `${origin}/oauth`, clients: ALL_CLIENTS, ...options })
  host.app.get('/api', host.oauth.requireAccessToken({ checkGrant: true }), (req, res) => {
    res.json({ hello: req.accessToken?.subject })
  })
  closing.push(() => {
    server.close()
    server.closeAllConnections()
  })
  return Object.assign(host, { issuer: `${origin}/oauth`, api: new URL('/api', origin) })
}

/** Where the browser is sent by the authorization endpoint. */
export async function browse(url: URL): Promise<URL> {
  const response = await fetch(url, { redirect: 'manual' })
  const location = response.headers.get('location')
  if (location === null) throw new Error(`no redirect: ${response.status} ${await response.text()}`)
  return new URL(location)
}

afterAll(() => {
  for (const close of closing.splice(0)) close()
})
