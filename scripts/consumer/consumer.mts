// What a user of this package writes in an ES module. scripts/check-package.mjs compiles and runs it against the packed package.
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import express from 'express'
import {
  createTokenRouter,
  memoryStore,
  type TokenRouterOptions,
  type TokenStore,
} from 'express-token-endpoint'
import * as testing from 'express-token-endpoint/testing'

assert.ok(Object.keys(testing).length > 0)

const app = express()
const server = app.listen(0)
await once(server, 'listening')
const issuer = `http://localhost:${(server.address() as AddressInfo).port}/oauth`

const store: TokenStore = memoryStore()
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const options: TokenRouterOptions = {
  issuer,
  secret: 'a secret of the tests, long enough to be accepted',
  signingKeys: [privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()],
  clients: [],
  findAccount: () => ({}),
  store,
}
const oauth = createTokenRouter(options)
app.use('/oauth', oauth)

const jwks = (await (await fetch(`${issuer}/jwks`)).json()) as { keys: unknown[] }
assert.equal(jwks.keys.length, 1)

const refused = await fetch(`${issuer}/token`, {
  method: 'POST',
  body: new URLSearchParams({ grant_type: 'authorization_code', code: 'none', client_id: 'nobody' }),
})
assert.equal(refused.status, 401)
assert.equal(((await refused.json()) as { error: string }).error, 'invalid_client')

await oauth.close()
server.close()
