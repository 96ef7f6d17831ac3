import { hashClientSecret } from '../../lib'
import { expectRefusal, fixture } from '../support/fixture'

const CHALLENGE = 'Basic realm="http://localhost:3000/oauth", charset="UTF-8"'

function serverFor(id: string, secret: string) {
  return fixture({
    clients: [{ client_id: id, client_secret_hash: hashClientSecret(secret), grant_types: [] }],
  })
}

const basic = (pair: string) => `Basic ${Buffer.from(pair).toString('base64')}`

/** RFC 6749 App. B. */
const formEncode = (text: string) => new URLSearchParams({ '': text }).toString().slice(1)

describe('client_secret_basic', () => {
  it.each([
    ['plain', 'web', 'web-secret'],
    ['colons', 'urn:example:web', 'a:b:c'],
    ['percents', 'web%20', '100%25%'],
    ['pluses', 'a+b', 'c+d+'],
    ['spaces', 'a web', ' a secret '],
    ['base64', 'web', 'dGhl+/c2Vj==cmV0=='],
    ['what JSON and HTML quote', 'w"e\'b\\', '<&"\\>'],
    ['letters of other alphabets', 'web', 'päss秘密🔑'],
    ['all of ASCII', 'web', Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).join('')],
  ])(
    'decodes id and secret with %s, after it splits at the first colon (RFC 6749 §2.3.1)',
    async (_, id, secret) => {
      const server = serverFor(id, secret)
      const header = basic(`${formEncode(id)}:${formEncode(secret)}`)
      expect((await server.post('/introspect', 'token=x').set('Authorization', header)).status).toBe(200)
    },
  )

  it.each(['web:a:b:c', 'web:a%3Ab%3Ac', 'web:a%3ab:c', '%77eb:%61:b:c'])(
    'reads the secret "a:b:c" from %s',
    async (pair) => {
      const server = serverFor('web', 'a:b:c')
      expect((await server.post('/introspect', 'token=x').set('Authorization', basic(pair))).status).toBe(200)
    },
  )

  it.each(['web:a+b', 'web:a%20b'])(
    'reads the secret "a b" from %s, and never "a+b" (RFC 6749 App. B)',
    async (pair) => {
      const header = basic(pair)
      for (const [secret, status] of [
        ['a b', 200],
        ['a+b', 401],
      ] as const) {
        const response = await serverFor('web', secret)
          .post('/introspect', 'token=x')
          .set('Authorization', header)
        expect(response.status).toBe(status)
      }
    },
  )

  it.each(['basic', 'BASIC', 'bAsIc', 'Basic '])(
    'knows the scheme in any case: %s (RFC 9110 §11.1)',
    async (scheme) => {
      const header = basic('web:web-secret').replace('Basic', scheme)
      expect((await fixture().post('/introspect', 'token=x').set('Authorization', header)).status).toBe(200)
    },
  )

  it.each([
    ['nothing behind the scheme', 'Basic'],
    ['no base64', 'Basic web:web-secret'],
    ['more than one word', `${basic('web:web-secret')} x`],
    ['a parameter', `${basic('web:web-secret')}, realm="x"`],
    ['no colon', basic('web')],
    ['no id', basic(':web-secret')],
    ['an encoded colon alone', basic('web%3Aweb-secret')],
    ['half a percent sequence', basic('web:web-secret%')],
    ['no hexadecimal behind a percent', basic('web:%zz')],
    ['percents that are no UTF-8', basic('web:%FF')],
    ['an id whose percents are no UTF-8', basic('%C3:web-secret')],
  ])('refuses %s, even where the body names a public client (RFC 6749 §5.2)', async (_, header) => {
    const response = await fixture().post('/token', 'client_id=spa&grant_type=x').set('Authorization', header)
    expectRefusal(response, 401, 'invalid_client')
    expect(response.headers['www-authenticate']).toBe(CHALLENGE)
  })
})
