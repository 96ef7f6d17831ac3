import type { Response } from 'supertest'
import { CLIENTS, expectRefusal, type Fixture, type FixtureOptions, fixture } from '../support/fixture'

const ENDPOINTS = ['/token', '/revoke', '/introspect'] as const

const FORM = 'grant_type=refresh_token&refresh_token=x&token=x'

/** All of an answer but its date. */
function whole({ status, headers, text }: Response): unknown {
  const { date: _, ...rest } = headers
  return { status, rest, text }
}

function expectInvalidClient(response: Response, challenge?: string): void {
  expectRefusal(response, 401, 'invalid_client')
  expect(response.body.error_description).toBe('Client authentication failed.')
  expect(response.headers['www-authenticate']).toBe(challenge)
}

const CHALLENGE = 'Basic realm="http://localhost:3000/oauth", charset="UTF-8"'

describe.each(ENDPOINTS)('client authentication at %s', (path) => {
  it('accepts each client by its registered method (RFC 6749 §2.3)', async () => {
    const server = fixture()
    const basic = await server.post(path, FORM).auth('web', 'web-secret')
    const post = await server.post(path, `${FORM}&client_id=post&client_secret=post-secret`)
    for (const { status } of [basic, post]) expect(status).toBe(path === '/token' ? 400 : 200)
    expect(
      server.events.every((event) => event.type !== 'request.refused' || event.error === 'invalid_grant'),
    ).toBe(true)
  })

  it.each([
    ['no credentials', '', undefined, undefined],
    ['an unknown client', 'client_id=nobody', undefined, undefined],
    ['an unknown client, with a secret', 'client_id=nobody&client_secret=x', undefined, undefined],
    ['an unknown client, by Basic', '', 'nobody:x', CHALLENGE],
    ['a wrong secret', 'client_id=post&client_secret=wrong', undefined, undefined],
    ['a wrong secret, by Basic', '', 'web:wrong', CHALLENGE],
    ['an empty secret', 'client_id=post&client_secret=', undefined, undefined],
    ['an empty secret, by Basic', '', 'web:', CHALLENGE],
    ['the secret of another client', '', 'web:api-secret', CHALLENGE],
    ['a secret with more behind it', '', 'web:web-secret ', CHALLENGE],
    ['a secret in another case', '', 'web:WEB-SECRET', CHALLENGE],
    ['the hash for the secret', '', `web:${CLIENTS[1]?.client_secret_hash}`, CHALLENGE],
    ['a confidential client without its secret', 'client_id=web', undefined, undefined],
    ['a confidential client without its secret, registered for post', 'client_id=post', undefined, undefined],
    ['post for a client of Basic', 'client_id=web&client_secret=web-secret', undefined, undefined],
    ['Basic for a client of post', '', 'post:post-secret', CHALLENGE],
    ['a secret of a public client', 'client_id=spa&client_secret=x', undefined, undefined],
    ['Basic for a public client, with an empty secret', '', 'spa:', CHALLENGE],
    ['an id that no record has, but every object', 'client_id=__proto__', undefined, undefined],
    ['an id that no record has, but every object, by Basic', '', 'constructor:x', CHALLENGE],
    ['the id of a client in another case', '', 'WEB:web-secret', CHALLENGE],
    ['an id with a space behind', '', 'web :web-secret', CHALLENGE],
    ['an id with a zero behind', 'client_id=spa%00', undefined, undefined],
  ])('refuses %s (RFC 6749 §5.2)', async (_, form, basic, challenge) => {
    const request = fixture().post(path, `${FORM}&${form}`)
    if (basic !== undefined) request.set('Authorization', `Basic ${btoa(encodeBasic(basic))}`)
    expectInvalidClient(await request, challenge)
  })

  it.each([
    ['by Basic', (server: Fixture, id: string) => server.post(path, FORM).auth(id, 'wrong')],
    [
      'in the body',
      (server: Fixture, id: string) => server.post(path, `${FORM}&client_id=${id}&client_secret=wrong`),
    ],
  ])(
    'answers an unknown client and a wrong secret with the same bytes, %s (RFC 6749 §5.2)',
    async (_, ask) => {
      const server = fixture()
      const unknown = await ask(server, 'nobody')
      for (const id of ['web', 'post', 'spa', 'api'])
        expect(whole(await ask(server, id))).toEqual(whole(unknown))
    },
  )

  it.each(['Bearer x', 'Digest username="web"', 'Negotiate', 'basic'])(
    'refuses the Authorization "%s", and names the scheme that works (RFC 9110 §11.6.1)',
    async (authorization) => {
      const response = await fixture().post(path, `${FORM}&client_id=spa`).set('Authorization', authorization)
      expectInvalidClient(response, CHALLENGE)
    },
  )

  it.each([
    ['Basic and a secret in the body', 'client_id=web&client_secret=web-secret', 'web:web-secret'],
    ['Basic and a wrong secret in the body', 'client_id=web&client_secret=wrong', 'web:web-secret'],
    ['Basic and a body of another client', 'client_id=post&client_secret=post-secret', 'web:web-secret'],
  ])('rejects two methods at once: %s (RFC 6749 §2.3)', async (_, form, basic) => {
    const [id = '', secret = ''] = basic.split(':')
    const response = await fixture().post(path, `${FORM}&${form}`).auth(id, secret)
    expectRefusal(response, 400, 'invalid_request')
    expect(response.body.error_description).toBe('More than one client authentication method was used.')
  })

  it('rejects a client_id in the body that is not that of Basic (RFC 6749 §2.3.1, §3.2.1)', async () => {
    for (const id of ['spa', 'WEB', 'nobody']) {
      const response = await fixture().post(path, `${FORM}&client_id=${id}`).auth('web', 'web-secret')
      expectRefusal(response, 400, 'invalid_request')
      expect(response.body.error_description).toBe(
        'The client_id does not match the client that authenticated.',
      )
    }
  })

  it('accepts the same client_id in the body as in Basic (RFC 6749 §3.2.1)', async () => {
    const { status } = await fixture().post(path, `${FORM}&client_id=web`).auth('web', 'web-secret')
    expect(status).toBe(path === '/token' ? 400 : 200)
  })
})

describe('the reason of a refusal', () => {
  it.each([
    ['no_client_credentials', undefined, ''],
    ['unknown_client', undefined, 'client_id=nobody&client_secret=s3cret'],
    ['wrong_client_credentials', 'post', 'client_id=post&client_secret=s3cret'],
    ['other_auth_method', 'web', 'client_id=web&client_secret=s3cret'],
  ])('is for the operator alone, and holds no secret: %s', async (reason, clientId, form) => {
    const server = fixture()
    expectInvalidClient(await server.post('/token', form))
    expect(server.events).toEqual([
      {
        type: 'request.refused',
        endpoint: 'token',
        status: 401,
        error: 'invalid_client',
        reason,
        clientId,
        cause: undefined,
      },
    ])
  })

  it.each([
    ['a line end', 'a\r\n2026-01-01 login of admin'],
    ['a control', '\u001b[2J'],
    ['a letter of another alphabet', 'ä'],
    ['256 characters', 'x'.repeat(256)],
  ])(
    'names a client only where the string may be the id of one, so that nobody writes to a log: %s (CWE-117)',
    async (_, id) => {
      const server = fixture()
      expectInvalidClient(await server.post('/token', { client_id: id }))
      expect(server.events).toMatchObject([{ reason: 'unknown_client', clientId: undefined }])
    },
  )
})

describe('the grant types of a client', () => {
  const ask = (server: Fixture, grantType: string) =>
    server.post('/token', { grant_type: grantType }).auth('api', 'api-secret')

  it.each(['authorization_code', 'refresh_token'])(
    'are what it is registered for: refuses %s to another (RFC 6749 §5.2)',
    async (grantType) => {
      const response = await ask(fixture(), grantType)
      expectRefusal(response, 400, 'unauthorized_client')
      expect(response.body.error_description).toBe('The client may not use this grant type.')
    },
  )

  it.each([
    'password',
    'client_credentials',
    'AUTHORIZATION_CODE',
    'authorization_code ',
    'toString',
    '__proto__',
  ])('are those of the server: refuses %s to all (RFC 6749 §5.2)', async (grantType) => {
    const response = await ask(fixture(), grantType)
    expectRefusal(response, 400, 'unsupported_grant_type')
    expect(response.body.error_description).toBe('This grant type is not supported.')
  })

  it('are asked after the client has proved itself (RFC 6749 §3.2.1)', async () => {
    const response = await fixture().post('/token', 'grant_type=password').auth('web', 'wrong')
    expectInvalidClient(response, CHALLENGE)
  })
})

it.each(['web', 'WEB'])('serves a client only by its exact id, however the host finds it: %s', async (id) => {
  const clients: FixtureOptions['clients'] = async (asked) =>
    CLIENTS.find(({ client_id }) => client_id.toLowerCase() === asked.toLowerCase())
  const response = await fixture({ clients }).post('/introspect', 'token=x').auth(id, 'web-secret')
  expect(response.status).toBe(id === 'web' ? 200 : 401)
})

/** RFC 6749 §2.3.1: id and secret are form-encoded before they go into Basic. */
function encodeBasic(pair: string): string {
  const [id = '', ...secret] = pair.split(':')
  return `${encodeURIComponent(id)}:${encodeURIComponent(secret.join(':'))}`
}
