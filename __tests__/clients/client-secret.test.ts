import { createClientSecret, hashClientSecret } from '../../lib'
import { expectRefusal, fixture } from '../support/fixture'

const serverFor = (client_secret_hash: string | string[]) =>
  fixture({ clients: [{ client_id: 'web', client_secret_hash, grant_types: [] }] })

const ask = (server: ReturnType<typeof fixture>, secret: string) =>
  server.post('/introspect', 'token=x').auth('web', secret)

describe('createClientSecret', () => {
  it('makes a secret of 256 random bits that its hash proves and does not tell (RFC 6749 §10.10)', async () => {
    const { secret, hash } = createClientSecret()
    expect(secret).toMatch(/^[A-Za-z0-9_-]{43}$/)
    expect(hash).toMatch(/^sha256:[A-Za-z0-9_-]{43}$/)
    expect(hash).not.toContain(secret)
    expect((await ask(serverFor(hash), secret)).status).toBe(200)
    expect(new Set(Array.from({ length: 100 }, () => createClientSecret().secret)).size).toBe(100)
  })
})

describe('hashClientSecret', () => {
  it('hashes the bytes of the secret (FIPS 180-4 SHA-256 of "abc")', () => {
    expect(hashClientSecret('abc')).toBe('sha256:ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0')
  })
})

describe('two hashes', () => {
  it('let both secrets in while a secret is being changed, and none besides', async () => {
    const server = serverFor([hashClientSecret('old'), hashClientSecret('new')])
    expect((await ask(server, 'old')).status).toBe(200)
    expect((await ask(server, 'new')).status).toBe(200)
    for (const wrong of ['', 'old,new', 'oldnew', 'undefined'])
      expectRefusal(await ask(server, wrong), 401, 'invalid_client')
  })

  it('let the old secret in no more once it is gone from the list', async () => {
    expectRefusal(await ask(serverFor([hashClientSecret('new')]), 'old'), 401, 'invalid_client')
  })
})
