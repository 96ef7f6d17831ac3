import { expectRefusal, fixture, ISSUER, VERIFIER } from './support/fixture'

describe('request parameters', () => {
  it.each(['grant_type', 'client_id', 'code', 'redirect_uri', 'code_verifier', 'scope', 'unknown'])(
    'rejects %s sent twice, even with the same value (RFC 6749 §3.2)',
    async (name) => {
      const server = fixture()
      const form =
        'grant_type=authorization_code&client_id=spa&code=a&redirect_uri=a&code_verifier=a&scope=a&unknown=a'
      const response = await server.post('/token', `${form}&${name}=a`)
      expectRefusal(response, 400, 'invalid_request')
      expect(response.body.error_description).toBe('A parameter was sent more than once.')
    },
  )

  it.each(['%63ode=a', 'c%6Fde=a', 'code='])(
    'sees a repetition through its spelling: %s (RFC 6749 §3.2, App. B)',
    async (again) => {
      const server = fixture()
      const form = 'grant_type=authorization_code&client_id=spa&code=a'
      expectRefusal(await server.post('/token', `${form}&${again}`), 400, 'invalid_request')
    },
  )

  it('lets resource and audience be repeated (RFC 8707 §2, RFC 8693 §2.1)', async () => {
    const server = fixture()
    const code = await server.code()
    const form = `grant_type=authorization_code&client_id=spa&code=${code}&code_verifier=${VERIFIER}`
    const twice = `resource=${ISSUER}&resource=${ISSUER}&audience=a&audience=b`
    const redirect = `redirect_uri=${encodeURIComponent('https://client.example/callback')}`
    expect((await server.post('/token', `${form}&${redirect}&${twice}`)).status).toBe(200)
  })

  it.each(['grant_type', 'code'])('names %s when it is missing (RFC 6749 §5.2)', async (name) => {
    const server = fixture()
    const form = { grant_type: 'authorization_code', client_id: 'spa', code: 'a' }
    for (const value of [undefined, '']) {
      const sent = Object.fromEntries(
        Object.entries({ ...form, [name]: value }).filter(([, one]) => one !== undefined),
      )
      const response = await server.post('/token', sent as Record<string, string>)
      expectRefusal(response, 400, 'invalid_request')
      expect(response.body.error_description).toBe(`The parameter ${name} is missing.`)
    }
  })

  it('treats a parameter without a value as omitted (RFC 6749 §3.2)', async () => {
    const server = fixture()
    const exchanged = await server.exchange(await server.code(), { client_secret: '', scope: '' })
    expect(exchanged.status).toBe(200)
    const refreshed = await server.refresh(exchanged.body.refresh_token, { scope: '', client_secret: '' })
    expect(refreshed.body.scope).toBe('openid offline_access')
  })

  it('ignores parameters that it does not know (RFC 6749 §3.2)', async () => {
    const server = fixture()
    const response = await server.exchange(await server.code(), {
      unknown: 'x',
      code_challenge: 'x',
      state: 'x',
    })
    expect(response.status).toBe(200)
  })

  it('decodes names and values as a form has them: plus for a space, UTF-8 in percents (RFC 6749 App. B)', async () => {
    const server = fixture({ scopes: ['openid', 'offline_access', 'a+b'] })
    const { refresh_token } = await server.tokens({ scope: 'openid offline_access a+b' })
    const form = `grant%5Ftype=refresh%5ftoken&client_id=spa&refresh_token=${refresh_token}&scope=openid+a%2Bb`
    expect((await server.post('/token', form)).body.scope).toBe('openid a+b')
  })
})
