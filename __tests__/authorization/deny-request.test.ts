import type { OAuthError } from '../../lib'
import { CALLBACK, CHALLENGE, fixture, ISSUER, readRequest } from '../support/fixture'

const REQUEST = new URLSearchParams({
  response_type: 'code',
  client_id: 'spa',
  redirect_uri: CALLBACK,
  state: 'a state',
  code_challenge: CHALLENGE,
  code_challenge_method: 'S256',
})

describe('deny', () => {
  it.each(['access_denied', 'login_required', 'invalid_scope'] as const)(
    'says where to send the browser with %s, as the endpoint does, and tells the operator (RFC 6749 §4.1.2.1, RFC 9207 §2)',
    async (error) => {
      const { oauth, events } = fixture({ authorize: undefined })
      const { redirectTo } = await oauth.deny(await readRequest(oauth, REQUEST), { error })

      expect(redirectTo).toMatch(new RegExp(`^${CALLBACK}[?]`))
      expect(Object.fromEntries(new URL(redirectTo ?? '').searchParams)).toEqual({
        error,
        error_description: 'The request was denied.',
        state: 'a state',
        iss: ISSUER,
      })
      expect(events).toEqual([{ type: 'authorization.denied', clientId: 'spa', error }])
    },
  )

  it('holds the description in the characters that are allowed (RFC 6749 §4.1.2.1)', async () => {
    const { oauth } = fixture()
    const { redirectTo } = await oauth.deny(await readRequest(oauth, REQUEST), {
      error: 'access_denied',
      description: 'Not "you"\r\n<é>',
    })
    expect(new URL(redirectTo ?? '').searchParams.get('error_description')).toBe('Not you<>')
  })

  it('tells the client what nextStep threw, where the page is of the host (OIDC Core §3.1.2.6)', async () => {
    const { oauth, events } = fixture({ authorize: undefined })
    const request = await readRequest(oauth, [...REQUEST, ['prompt', 'none']])
    const { redirectTo } = await (async () => request.nextStep(undefined))().then(
      () => Promise.reject(new Error('a step')),
      (thrown: OAuthError) => oauth.deny(request, thrown),
    )
    expect(Object.fromEntries(new URL(redirectTo ?? '').searchParams)).toEqual({
      error: 'login_required',
      error_description: 'The user has to log in.',
      state: 'a state',
      iss: ISSUER,
    })
    expect(events).toEqual([{ type: 'authorization.denied', clientId: 'spa', error: 'login_required' }])
  })
})
