// The page of signed-in devices: the user's grants, each with a button that ends it.
import { type Html, html } from './html'

export interface Device {
  readonly id: string
  readonly label: string
  readonly clientName: string
  readonly scope: readonly string[]
  readonly createdAt: Date
  readonly lastUsedAt: Date
}

export interface DevicesPage {
  readonly csrf: string
  readonly devices: readonly Device[]
  /** Where the list goes on, when it is long. */
  readonly next: string | undefined
  readonly notice: string | undefined
}

export function devicesPage({ csrf, devices, next, notice }: DevicesPage): Html {
  return html`
  <div class="title">
    <div>
      <h1>Signed-in devices</h1>
      <p class="lead">Where an app may act for you. End one, and its next refresh is refused.</p>
    </div>
    ${
      devices.length > 1 &&
      html`<form method="post" action="/devices/end-all">
      <input type="hidden" name="csrf" value="${csrf}">
      <button class="button danger">End all</button>
    </form>`
    }
  </div>
  ${notice && html`<p class="notice" role="status">${notice}</p>`}
  ${devices.length > 0 ? html`<ul class="devices">${devices.map((device) => deviceItem(device, csrf))}</ul>` : empty}
  ${next && html`<p><a class="button" href="/devices?after=${encodeURIComponent(next)}">More devices</a></p>`}`
}

const deviceIcon = html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
  <rect x="3" y="4.5" width="18" height="12" rx="2"/><path d="M8.5 20h7M12 16.5V20"/>
</svg>`

const empty = html`<section class="card empty">
  ${deviceIcon}
  <h2>No app is signed in for you</h2>
  <p>As soon as you allow one, it is listed here.</p>
  <p><a class="button primary" href="/">Sign an app in</a></p>
</section>`

function deviceItem(device: Device, csrf: string): Html {
  return html`<li class="card device">
    ${deviceIcon}
    <div class="who">
      <h2>${device.label}</h2>
      <p>${device.clientName}</p>
      <p class="chips">${device.scope.map((scope) => html`<span class="chip">${scope}</span>`)}</p>
    </div>
    <dl class="when">
      <div><dt>Signed in</dt><dd>${moment(device.createdAt)}</dd></div>
      <div><dt>Last used</dt><dd>${moment(device.lastUsedAt)}</dd></div>
    </dl>
    <form method="post" action="/devices/end">
      <input type="hidden" name="csrf" value="${csrf}">
      <input type="hidden" name="id" value="${device.id}">
      <button class="button danger" aria-label="End ${device.clientName} on ${device.label}">End</button>
    </form>
  </li>`
}

/** How long ago, in words that need no script in the browser; the exact time is in the tooltip. */
function moment(date: Date): Html {
  return html`<time datetime="${date.toISOString()}" title="${date.toUTCString()}">${ago(date)}</time>`
}

const UNITS: readonly (readonly [Intl.RelativeTimeFormatUnit, number])[] = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
]

function ago(date: Date): string {
  const seconds = (Date.now() - date.getTime()) / 1000
  const [unit, size] = UNITS.find(([, unitSeconds]) => seconds >= unitSeconds) ?? ['second', 1]
  if (unit === 'second') return 'just now'
  return new Intl.RelativeTimeFormat('en', { numeric: 'auto' }).format(-Math.floor(seconds / size), unit)
}
