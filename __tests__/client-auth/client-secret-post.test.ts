import { hashClientSecret } from '../../lib'
import { expectRefusal, fixture } from '../support/fixture'

describe('client_secret_post', () => {
  it.each([
    ['plain', 'post-secret'],
    ['what a form encodes', ' a+b%20&c=d;e ?#'],
    ['letters of other alphabets', 'päss秘密🔑'],
    ['line ends', 'a\r\nb'],
  ])('takes a secret as the form has it: %s (RFC 6749 §2.3.1)', async (_, secret) => {
    const server = fixture({
      clients: [
        {
          client_id: 'a web',
          token_endpoint_auth_method: 'client_secret_post',
          client_secret_hash: hashClientSecret(secret),
          grant_types: [],
        },
      ],
    })
    const form = { token: 'x', client_id: 'a web', client_secret: secret }
    expect((await server.post('/introspect', form)).status).toBe(200)
    const wrong = await server.post('/introspect', { ...form, client_secret: `${secret}x` })
    expectRefusal(wrong, 401, 'invalid_client')
  })

  it('rejects a secret without a client_id (RFC 6749 §2.3.1)', async () => {
    const response = await fixture().post('/introspect', { token: 'x', client_secret: 'post-secret' })
    expectRefusal(response, 400, 'invalid_request')
    expect(response.body.error_description).toBe('The parameter client_id is missing.')
  })

  it.each(['client_id', 'client_secret'])('rejects two of %s (RFC 6749 §3.2)', async (name) => {
    const form = `token=x&client_id=post&client_secret=post-secret&${name}=x`
    expectRefusal(await fixture().post('/introspect', form), 400, 'invalid_request')
  })
})
