import { fixture } from '../support/fixture'

jest.mock('jsonwebtoken', () => {
  throw new Error('EMFILE: too many open files')
})

test('where jsonwebtoken cannot be loaded no token counts as forged, and no revocation as done', async () => {
  const server = fixture()
  const { access_token } = await server.tokens({ client_id: 'web' })

  for (const path of ['/introspect', '/revoke']) {
    const response = await server.post(path, { token: access_token }).auth('web', 'web-secret')
    expect({ status: response.status, error: response.body.error }).toEqual({
      status: 500,
      error: 'server_error',
    })
  }
})
