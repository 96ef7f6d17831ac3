// What is on the screen. Text is set as text, never as markup: a token's claims are somebody else's input.
import { activity } from './activity.mjs'

export const byId = (id) => document.getElementById(id)

export function showTokens(tokens, settings) {
  byId('signed-out').hidden = tokens !== null
  byId('signed-in').hidden = byId('tokens').hidden = tokens === null
  if (tokens === null) return

  const idToken = decode(tokens.idToken)
  byId('greeting').textContent = `Hello, ${idToken.name ?? idToken.sub}`
  const revoked = tokens.revoked === true
  showJwt('access-token', tokens.accessToken, revoked)
  showJwt('id-token', tokens.idToken, false) // it says who signed in, which stays true
  showCard('refresh-token', {
    raw: shortened(tokens.refreshToken ?? ''),
    from: tokens.receivedAt,
    until: tokens.receivedAt + Number(settings.refreshIdleSeconds),
    over: tokens.refreshToken ? revoked && 'revoked' : 'not issued',
    claims: [
      ['sent to', 'the token endpoint only'],
      ['lives', `${settings.refreshIdleSeconds / 86_400} days after its last use`],
      ['received', clock(tokens.receivedAt * 1000)],
      ['refreshed', tokens.refreshes === 1 ? 'once' : `${tokens.refreshes} times`],
    ],
  })
  byId('refresh').hidden = !tokens.refreshToken
  byId('revoke').hidden = !tokens.refreshToken || revoked
  byId('sign-in-again').hidden = !revoked
}

function showJwt(id, token, revoked) {
  const claims = decode(token)
  showCard(id, {
    raw: shortened(token),
    from: claims.iat,
    until: claims.exp,
    over: revoked && 'revoked',
    claims: Object.entries(claims),
  })
}

function showCard(id, { raw, from, until, over, claims }) {
  const card = byId(id)
  card.dataset.from = from
  card.dataset.until = until
  card.dataset.over = over || ''
  const isNew = part(card, 'raw').textContent !== '' && part(card, 'raw').textContent !== raw
  part(card, 'raw').textContent = raw
  part(card, 'claims').replaceChildren(...claims.map(claimRow))
  card.classList.remove('new')
  if (isNew) requestAnimationFrame(() => card.classList.add('new'))
  tickCard(card)
}

function claimRow([name, value]) {
  const row = element('div')
  row.append(element('dt', name), element('dd', typeof value === 'string' ? value : JSON.stringify(value)))
  if (TIMES.has(name)) row.lastChild.append(element('span', clock(value * 1000), 'quiet'))
  return row
}

const TIMES = new Set(['iat', 'exp', 'nbf', 'auth_time'])

/** Once a second: the lifetimes go on. */
export function tick() {
  for (const card of document.querySelectorAll('.token')) if (card.dataset.until) tickCard(card)
}

function tickCard(card) {
  const { from, until, over } = card.dataset
  const left = Math.max(0, Math.ceil(Number(until) - Date.now() / 1000))
  const ended = over || (left === 0 && 'expired')
  const progress = part(card, 'progress')
  progress.max = Number(until) - Number(from)
  progress.value = ended ? 0 : left
  part(card, 'left').textContent = ended ? '—' : duration(left)
  part(card, 'left-label').textContent = ended ? '' : 'left'
  part(card, 'state').textContent = ended || 'active'
  card.classList.toggle('ended', Boolean(ended))
}

export function showOutcome(kind, title, text = '', body = undefined) {
  const said = element('p')
  said.append(element('strong', title), ` ${text}`)
  byId('outcome').className = `outcome ${kind}`
  byId('outcome').replaceChildren(said)
  if (body !== undefined) byId('outcome').append(element('pre', JSON.stringify(body, null, 2)))
}

export function showActivity() {
  const entries = activity.list()
  byId('activity-empty').hidden = entries.length > 0
  byId('clear').hidden = entries.length === 0
  byId('activity').replaceChildren(...entries.map(activityItem))
}

function activityItem({ at, method, path, status, failed, took, note }) {
  const item = element('li')
  item.classList.toggle('failed', Boolean(failed))
  const result = status ?? (failed ? 'refused' : 'redirect')
  const details = [note, took === undefined ? undefined : `${took} ms`].filter(Boolean).join(' · ')
  item.append(
    element('span', result, 'status'),
    element('span', `${method} ${path}`, 'request'),
    element('time', clock(at), 'quiet'),
    element('span', details, 'note'),
  )
  return item
}

const part = (card, name) => card.querySelector(`[data-part="${name}"]`)

function element(name, text, className) {
  const made = document.createElement(name)
  if (text !== undefined) made.textContent = text
  if (className) made.className = className
  return made
}

/** For display only: an access token is the API's to read, and the ID token was validated when it came. */
function decode(jwt) {
  const payload = jwt.split('.')[1].replaceAll('-', '+').replaceAll('_', '/')
  const bytes = Uint8Array.from(atob(payload), (character) => character.charCodeAt(0))
  return JSON.parse(new TextDecoder().decode(bytes))
}

const shortened = (token) => (token.length > 28 ? `${token.slice(0, 14)}…${token.slice(-10)}` : token)

const clock = (milliseconds) => new Date(milliseconds).toLocaleTimeString()

function duration(seconds) {
  const days = Math.floor(seconds / 86_400)
  const hours = Math.floor((seconds % 86_400) / 3_600)
  const minutes = Math.floor((seconds % 3_600) / 60)
  const two = (number) => String(number).padStart(2, '0')
  const time = `${two(minutes)}:${two(seconds % 60)}`
  if (days > 0) return `${days} d ${two(hours)}:${time}`
  return hours > 0 ? `${hours}:${time}` : time
}
