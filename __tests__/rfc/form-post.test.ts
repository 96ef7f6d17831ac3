// OAuth 2.0 Form Post Response Mode, in a real browser as well: __tests__/examples.
import { createHash } from 'node:crypto'
import { CALLBACK, expectErrorPage, fixture, ISSUER } from '../support/fixture'

/** The fields of the form, as a browser would post them. */
function fieldsOf(html: string): Record<string, string> {
  const unescaped = (text: string) =>
    text.replace(/&#(\d+);/g, (_all, code: string) => String.fromCharCode(Number(code)))
  const found = [...html.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)]
  return Object.fromEntries(found.map(([, name, value]) => [name, unescaped(value as string)]))
}

describe('response_mode=form_post', () => {
  it('answers with a page that posts the parameters to the redirect URI (Form Post Response Mode §2)', async () => {
    const server = fixture()
    const { status, headers, text } = await server.authorize({ response_mode: 'form_post' })
    expect(status).toBe(200)
    expect(headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'x-frame-options': 'DENY',
      'x-content-type-options': 'nosniff',
    })
    expect(headers).not.toHaveProperty('location')
    expect(text).toContain(`<form method="post" action="${CALLBACK}">`)
    const fields = fieldsOf(text)
    expect(fields).toEqual({ code: expect.stringMatching(/^[\w-]{52}$/), state: 'a state', iss: ISSUER })
    expect((await server.exchange(fields.code as string)).status).toBe(200)
  })

  it('posts errors as well (Form Post Response Mode §2)', async () => {
    const { authorize } = fixture()
    const { status, text } = await authorize({ response_mode: 'form_post', response_type: 'token' })
    expect(status).toBe(200)
    expect(fieldsOf(text)).toEqual({
      error: 'unsupported_response_type',
      error_description: expect.any(String),
      state: 'a state',
      iss: ISSUER,
    })
  })

  it('lets nothing run but its own script, and works without it', async () => {
    const { headers, text } = await fixture().authorize({ response_mode: 'form_post' })
    const script = /<script>(.*)<\/script>/s.exec(text)?.[1] ?? ''
    const hash = createHash('sha256').update(script).digest('base64')
    expect(headers['content-security-policy']).toContain(`default-src 'none'`)
    expect(headers['content-security-policy']).toContain(`script-src 'sha256-${hash}'`)
    expect(headers['content-security-policy']).toContain(`frame-ancestors 'none'`)
    expect(text).toContain('<noscript><p><button')
  })

  it('escapes whatever the client sent', async () => {
    const state = `"><script>alert('1')</script>&amp;\r\n\t`
    const { text } = await fixture().authorize({ response_mode: 'form_post', state })
    expect(text).not.toContain('<script>alert')
    expect(fieldsOf(text).state).toBe(state)
  })

  it('shows the error page where the redirect URI is not right (RFC 6749 §4.1.2.1)', async () => {
    expectErrorPage(
      await fixture().authorize({ response_mode: 'form_post', redirect_uri: 'https://attacker.example' }),
    )
  })
})

describe('response_mode', () => {
  it.each(['fragment', 'fragment.jwt', 'web_message', 'QUERY', 'query '])(
    'is refused, by query, where it is another: %s (OAuth 2.0 Multiple Response Types §2.1)',
    async (response_mode) => {
      const { status, headers } = await fixture().authorize({ response_mode })
      expect(status).toBe(303)
      expect(headers.location).toContain(`${CALLBACK}?error=invalid_request&`)
    },
  )
})
