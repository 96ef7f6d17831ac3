import { expectRefusal, fixture } from '../support/fixture'

describe('none', () => {
  it('lets a public client say who it is, and nothing more (RFC 6749 §3.2.1)', async () => {
    const server = fixture()
    expect((await server.exchange(await server.code())).status).toBe(200)
    expect((await server.post('/revoke', 'client_id=spa&token=x')).status).toBe(200)
  })

  it('is not enough to introspect (RFC 7662 §2.1)', async () => {
    const server = fixture()
    const { access_token } = await server.tokens()
    const response = await server.post('/introspect', { client_id: 'spa', token: access_token })
    expectRefusal(response, 401, 'invalid_client')
    expect(response.headers).not.toHaveProperty('www-authenticate')
  })

  it.each(['web', 'post', 'api'])(
    'is not enough for the confidential client %s (RFC 6749 §2.3)',
    async (id) => {
      const server = fixture()
      expectRefusal(await server.post('/token', `client_id=${id}&grant_type=x`), 401, 'invalid_client')
    },
  )

  it('is not what a client uses that sends an Authorization header (RFC 6749 §2.3)', async () => {
    const server = fixture()
    const code = await server.code()
    const refused = await server.exchange(code).set('Authorization', 'Bearer x')
    expectRefusal(refused, 401, 'invalid_client')
    expect((await server.exchange(code)).status).toBe(200)
  })
})
