import { expectRefusal, fixture } from '../support/fixture'

describe.each(['/token', '/revoke', '/introspect'])('POST %s', (path) => {
  it.each([
    'client_secret',
    'client_assertion',
    'code',
    'code_verifier',
    'refresh_token',
    'token',
    'password',
  ])('refuses %s in the query, where logs keep it (RFC 6749 §2.3.1, §3.2)', async (name) => {
    const server = fixture()
    const response = await server
      .post(`${path}?${name}=s3cret`, { token: 'x', grant_type: 'x' })
      .auth('web', 'web-secret')

    expectRefusal(response, 400, 'invalid_request')
    expect(response.text).not.toContain('s3cret')
    expect(server.eventsOf('request.refused')).toMatchObject([{ reason: 'credentials_in_query' }])
  })

  it('finds it behind a second question mark too (RFC 3986 §3.4)', async () => {
    const server = fixture()
    await server.post(`${path}?a=b?c&client_secret=s3cret`, { token: 'x', client_id: 'spa' })
    expect(server.eventsOf('request.refused')).toMatchObject([{ reason: 'credentials_in_query' }])
  })

  it('reads nothing else from the query either (RFC 6749 §3.2)', async () => {
    const response = await fixture().post(`${path}?client_id=spa`, {
      token: 'x',
      grant_type: 'refresh_token',
    })
    expectRefusal(response, 401, 'invalid_client')
  })

  it('proves the client before it says anything of the rest (RFC 6749 §3.2.1)', async () => {
    expectRefusal(await fixture().post(path, {}).auth('web', 'wrong'), 401, 'invalid_client')
  })
})
