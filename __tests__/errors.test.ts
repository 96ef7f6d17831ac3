import { inspect } from 'node:util'
import { ConfigError, createTokenRouter, type GrantType, OAuthError } from '../lib'
import { expectRefusal, expectUncached, fixture } from './support/fixture'

/** A router whose only grant type answers with this error, and the answer. */
async function answerWith(error: OAuthError) {
  const grant: GrantType = { name: 'urn:example:no', parameters: [], handle: () => Promise.reject(error) }
  const server = fixture({
    grants: [grant],
    clients: [{ client_id: 'spa', token_endpoint_auth_method: 'none', grant_types: [grant.name] }],
  })
  const response = await server.post('/token', { client_id: 'spa', grant_type: grant.name })
  return { server, response }
}

describe('OAuthError', () => {
  it.each([
    ['invalid_request', 400],
    ['invalid_client', 401],
    ['invalid_grant', 400],
    ['invalid_scope', 400],
    ['invalid_target', 400],
    ['unauthorized_client', 400],
    ['unsupported_grant_type', 400],
    ['access_denied', 400],
    ['server_error', 500],
    ['temporarily_unavailable', 503],
    ['example_code_of_the_hosts', 400],
  ])('answers %s with status %i unless told (RFC 6749 §5.2, §8.5)', async (code, status) => {
    const { response } = await answerWith(new OAuthError(code, 'A description.'))
    expectRefusal(response, status, code)
    expect(response.body.error_description).toBe('A description.')
    expect(response.headers).not.toHaveProperty('retry-after')
  })

  it('answers with another status and Retry-After where it is told (RFC 9110 §10.2.3)', async () => {
    const { response } = await answerWith(
      new OAuthError('invalid_request', 'Slow down.', { status: 429, retryAfter: 7 }),
    )
    expectRefusal(response, 429, 'invalid_request')
    expect(response.headers['retry-after']).toBe('7')
  })

  it.each([
    ['quotes and backslashes', 'a "b" \\c', 'a b c'],
    ['line ends and controls', 'a\r\nX-Injected: b\u0000\u007f', 'aX-Injected: b'],
    ['letters of other alphabets', 'Übermut 李🔑', 'bermut '],
    ['nothing else', "<script>!#[]^`{|}~'</script>", "<script>!#[]^`{|}~'</script>"],
  ])(
    'sends only the characters that a description may have, without %s (RFC 6749 §5.2)',
    async (_, given, sent) => {
      const { response } = await answerWith(new OAuthError('invalid_grant', given))
      expect(response.body).toEqual({ error: 'invalid_grant', error_description: sent })
      expectUncached(response)
    },
  )

  it('keeps its reason and cause for the operator', async () => {
    const cause = new Error('The row 42 is locked.')
    const { server, response } = await answerWith(
      new OAuthError('invalid_grant', 'No.', { reason: 'locked_row', cause }),
    )
    expect(response.body).toEqual({ error: 'invalid_grant', error_description: 'No.' })
    expect(JSON.stringify(response.headers)).not.toContain('locked')
    expect(server.events).toEqual([
      {
        type: 'request.refused',
        endpoint: 'token',
        status: 400,
        error: 'invalid_grant',
        reason: 'locked_row',
        clientId: 'spa',
        cause,
      },
    ])
  })

  it('becomes JSON of two members, wherever a host hands it on (RFC 6749 §5.2)', () => {
    const error = new OAuthError('invalid_grant', 'No.', {
      reason: 'locked_row',
      clientId: 'spa',
      retryAfter: 1,
      cause: new Error('x'),
    })
    expect(JSON.stringify(error)).toBe('{"error":"invalid_grant","error_description":"No."}')
    expect(error).toBeInstanceOf(Error)
    expect(String(error)).toBe('OAuthError: invalid_grant: No.')
  })
})

describe('ConfigError', () => {
  it('says which option is wrong, in what way, and what to do', () => {
    const error = new ConfigError('bad_thing', 'things[0].size', 'is too large.', 'Use a smaller one.')
    expect(error).toBeInstanceOf(Error)
    expect({ ...error }).toEqual({ name: 'ConfigError', code: 'bad_thing', option: 'things[0].size' })
    expect(String(error)).toBe('ConfigError: things[0].size: is too large. Use a smaller one.')
  })

  it('leads to the line of the host that made the router', () => {
    const call = () => createTokenRouter({} as never)
    expect(call).toThrow(ConfigError)
    try {
      call()
    } catch (error) {
      expect(inspect(error)).toContain('errors.test.ts')
    }
  })
})
