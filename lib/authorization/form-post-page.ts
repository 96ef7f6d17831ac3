// The page whose form the browser posts to the client (OAuth 2.0 Form Post Response Mode §2).
import { escapeHtml, page, pagePolicy } from '../http/page'

const SCRIPT = 'document.forms[0].submit()'

/** Without `form-action`: browsers apply it to the client's redirects after the form as well. */
export const FORM_POST_POLICY = pagePolicy(SCRIPT)

export function formPostPage(redirectUri: string, parameters: Readonly<Record<string, string>>): string {
  const fields = Object.entries(parameters).map(
    ([name, value]) => `<input type="hidden" name="${name}" value="${escapeHtml(value)}">`,
  )
  return page(
    'Back to the application',
    `<form method="post" action="${escapeHtml(redirectUri)}">
${fields.join('\n')}
<p>You are being sent back to the application.</p>
<noscript><p><button id="continue">Continue</button></p></noscript>
</form>
<script>${SCRIPT}</script>`,
  )
}
