import { browserLabel } from '../../examples/quickstart/browser-label'
import { html } from '../../examples/quickstart/pages/html'

describe('the templates of the quickstart', () => {
  test('escape whatever is put into them, but not what they made themselves', () => {
    const hostile = `<img src=x onerror="alert('&')">`
    const inner = html`<b>${hostile}</b>`
    expect(html`<p title="${hostile}">${[inner]}${false}${undefined}</p>`.markup).toBe(
      '<p title="&lt;img src=x onerror=&quot;alert(&#39;&amp;&#39;)&quot;&gt;">' +
        '<b>&lt;img src=x onerror=&quot;alert(&#39;&amp;&#39;)&quot;&gt;</b></p>',
    )
  })
})

describe('a signed-in device', () => {
  test.each([
    ['Firefox on Linux', 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'],
    [
      'Chrome on Android',
      'Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/140.0.0.0 Mobile Safari/537.36',
    ],
    [
      'Edge on Windows',
      'Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0',
    ],
    [
      'Safari on iPhone',
      'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) Version/18.5 Mobile/15E148 Safari/604.1',
    ],
    ['Safari on macOS', 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.5 Safari/605.1.15'],
    ['A browser', 'curl/8.15.0'],
  ])('is called %s by its User-Agent', (label, userAgent) => {
    expect(browserLabel(userAgent)).toBe(label)
  })
})
