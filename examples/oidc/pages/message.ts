// A page that says one thing.
import { html } from '../../quickstart/pages/html'
import type { Page } from './layout'

export function messagePage(
  title: string,
  text: string,
  detail?: { description: string; code: string },
): Page {
  return {
    title,
    body: html`
    <h1>${title}</h1>
    <p class="lead">${text}</p>
    ${detail && html`<p id="error">${detail.description} <code>${detail.code}</code></p>`}`,
  }
}
