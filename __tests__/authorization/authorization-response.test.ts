import { CALLBACK, fixture, ISSUER, redirected } from '../support/fixture'

const iss = `iss=${encodeURIComponent(ISSUER)}`

describe('the redirect back to the client', () => {
  it.each([
    ['a query of its own is kept', 'https://client.example/cb?tenant=1&b=a+b%20c', '&'],
    ['custom schemes', 'com.example.app:/cb', '?'],
    ['custom schemes without a slash', 'com.example.app:cb', '?'],
    ['letters stay as they were registered', 'https://CLIENT.example:443/%7Ecb/./a', '?'],
    ['a host alone', 'https://client.example', '?'],
  ])('goes to the very URI: %s (RFC 6749 §3.1.2, §4.1.2)', async (_what, redirectUri, separator) => {
    const server = fixture({
      clients: [{ client_id: 'app', token_endpoint_auth_method: 'none', redirect_uris: [redirectUri] }],
    })
    const asked = { client_id: 'app', redirect_uri: redirectUri, state: 'x', scope: undefined }

    const { headers } = await server.authorize(asked)
    const code = headers.location?.slice(redirectUri.length).match(/code=([\w-]{52})/)?.[1]
    expect(headers.location).toBe(`${redirectUri}${separator}code=${code}&state=x&${iss}`)

    const refused = await server.authorize({ ...asked, response_type: 'token' })
    expect(
      refused.headers.location?.startsWith(`${redirectUri}${separator}error=unsupported_response_type&`),
    ).toBe(true)
  })

  it.each([
    ['line breaks', 'a\r\nSet-Cookie: session=1\r\n\r\n<script>'],
    ['what separates parameters', '&code=x#iss=https://attacker.example?a=b;c=%26+'],
    ['markup and quotes', `"><script>alert('1')</script>\\`],
    ['letters of all kinds', 'é 漢字 😀'],
    ['a null character', 'a\0b'],
    ['much', 'x'.repeat(4000)],
  ])(
    'gives the state back exactly, and it changes nothing else: %s (RFC 6749 §4.1.2)',
    async (_what, state) => {
      const { authorize } = fixture()

      const approved = await authorize({ state })
      expect(approved.headers).not.toHaveProperty('set-cookie')
      expect(approved.headers.location).toMatch(/^https:\/\/client\.example\/callback\?[\x21-\x7E]+$/)
      expect(redirected(approved)).toEqual({ code: expect.stringMatching(/^[\w-]{52}$/), state, iss: ISSUER })

      const refused = await authorize({ state, response_type: 'token' })
      expect(redirected(refused)).toEqual({
        error: 'unsupported_response_type',
        error_description: expect.any(String),
        state,
        iss: ISSUER,
      })
    },
  )

  it('holds no state where none was sent (RFC 6749 §4.1.2)', async () => {
    const { authorize } = fixture()
    expect((await authorize({ state: undefined })).headers.location).toMatch(
      new RegExp(`^${CALLBACK}[?]code=[\\w-]{52}&${iss}$`),
    )
  })
})
