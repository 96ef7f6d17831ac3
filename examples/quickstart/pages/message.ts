// A page that says one thing.
import { type Html, html } from './html'

export function messagePage(title: string, text: string): Html {
  return html`
  <section class="card form">
    <h1>${title}</h1>
    <p class="lead">${text}</p>
    <p><a class="button" href="/">Back to the start</a></p>
  </section>`
}
