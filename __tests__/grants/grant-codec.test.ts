import { memoryStore, type StoredGrant, type TokenStore } from '../../lib'
import { APPROVAL, expectUnavailable, fixture } from '../support/fixture'

type Damage = (stored: StoredGrant) => unknown

/** A store that is damaged from the moment that the test says how, and as long as it does. */
function damaged() {
  const store = memoryStore()
  const calls: string[] = []
  const state: { how: Damage | undefined } = { how: undefined }
  const wrapped: TokenStore = {
    ...store,
    async find(key) {
      const stored = await store.find(key)
      return stored && state.how ? (state.how(stored) as StoredGrant) : stored
    },
    advance(...move) {
      calls.push('advance')
      return store.advance(...move)
    },
    revoke(key) {
      calls.push('revoke')
      return store.revoke(key)
    },
  }
  return { store: wrapped, calls, state }
}

/** The members of a grant's record, in their order; the last holds what few grants have. */
const MEMBERS = [
  'format',
  'flags',
  'subject',
  'scope',
  'authTime',
  'lifetime',
  'redirectUri',
  'challenge',
  'nonce',
  'rest',
]

/** One member replaced. JSON makes null of what is undefined. */
function change(member: string, value: unknown) {
  return (data: string) => {
    const wire = JSON.parse(data)
    expect(MEMBERS.indexOf(member)).toBeLessThan(wire.length)
    return JSON.stringify(wire.with(MEMBERS.indexOf(member), value))
  }
}
function changeRest(members: Record<string, unknown>) {
  return (data: string) => change('rest', { ...JSON.parse(data).at(-1), ...members })(data)
}
/** As if it ended before this member. */
function without(member: string) {
  return (data: string) => JSON.stringify(JSON.parse(data).slice(0, MEMBERS.indexOf(member)))
}

async function expectTrouble(how: Damage): Promise<void> {
  const { store, calls, state } = damaged()
  const server = fixture({
    store,
    overlap: 0,
    codeReplaySeconds: 0,
    approval: { ...APPROVAL, sid: 'session', acr: 'silver', amr: ['pwd'], label: 'Firefox' },
  })
  const [code, { refresh_token }] = [await server.code(), await server.tokens()]
  calls.length = 0

  state.how = how
  expectUnavailable(await server.exchange(code))
  expect(server.eventsOf('store.trouble')).toEqual([
    { type: 'store.trouble', operation: expect.any(String), cause: expect.any(Error) },
  ])
  expectUnavailable(await server.refresh(refresh_token))
  expect(server.eventsOf('store.trouble')).toHaveLength(2)
  expect(calls).toEqual([])

  state.how = undefined
  expect((await server.exchange(code)).status).toBe(200)
  expect((await server.refresh(refresh_token)).status).toBe(200)
}

describe('what the store never got is never accepted: 503, one event, and nothing changes', () => {
  it.each<[string, (data: string) => string]>([
    ['no JSON', () => 'garbage'],
    ['nothing', () => ''],
    ['without its first character', (data) => data.slice(1)],
    ['cut short', (data) => data.slice(0, -1)],
    ['null', () => 'null'],
    ['an empty list', () => '[]'],
    ['an object', () => '{}'],
    ['of a later format', change('format', 2)],
    ['without a format', change('format', null)],
    ['without flags', change('flags', null)],
    ['with another type of flags', change('flags', true)],
    ['with a flag of a later format', change('flags', 4)],
    ['without a subject', change('subject', null)],
    ['with an empty subject', change('subject', '')],
    ['with another type of subject', change('subject', { toString: 'alice' })],
    ['without a scope', change('scope', null)],
    ['with a list as scope', change('scope', ['admin'])],
    ['without the time of authentication', change('authTime', null)],
    ['with the time of authentication as a string', change('authTime', '2026-01-01')],
    ['with the lifetime of the code lost', change('lifetime', null)],
    ['with another type of that lifetime', change('lifetime', '60')],
    ['with its redirect URI lost', change('redirectUri', null)],
    ['with another type of redirect URI', change('redirectUri', 1)],
    ['with another type of code challenge', change('challenge', 0)],
    ['with an empty code challenge', change('challenge', '')],
    ['with another type of nonce', change('nonce', 1)],
    ['with null for what few grants have', change('rest', null)],
    ['with another type of it', change('rest', 'sid')],
    ['with another type of sid', changeRest({ sid: 1 })],
    ['with another type of acr', changeRest({ acr: ['gold'] })],
    ['with another type of amr', changeRest({ amr: 'pwd' })],
    ['with another type in amr', changeRest({ amr: [1] })],
    ['with another type of label', changeRest({ label: {} })],
    ['with another type of resources', changeRest({ resources: 'https://api.example' })],
    ['with a list for the claims that were asked for', changeRest({ claims: [] })],
    ['with null for them', changeRest({ claims: null })],
    ['with one list of them lost', changeRest({ claims: { userinfo: ['email'] } })],
    ['with another type of their names', changeRest({ claims: { userinfo: [], idToken: [1] } })],
    ['cut before its code challenge', without('challenge')],
    ['cut before its redirect URI', without('redirectUri')],
    ['cut before the lifetime of its code', without('lifetime')],
  ])('a grant: %s', (_how, damage) => expectTrouble((stored) => ({ ...stored, data: damage(stored.data) })))

  it.each<[string, Record<string, unknown>]>([
    ['its key lost', { key: undefined }],
    ['the key of another', { key: 'abcd.aaaaaaaaaaaaaaaa' }],
    ['its data lost', { data: undefined }],
    ['its data parsed already', { data: [1] }],
    ['its client lost', { client: undefined }],
    ['another type of client', { client: 1 }],
    ['its link lost', { link: undefined }],
    ['its link as a string, as SQL drivers give large integers', { link: '1' }],
    ['a link that is no number', { link: Number.NaN }],
    ['half a link', { link: 0.5 }],
    ['its age lost', { age: undefined }],
    ['an age that is no number', { age: Number.NaN }],
    ['its age as a string', { age: '0' }],
    ['its idle time lost', { idle: undefined }],
    ['an idle time that is no number', { idle: Number.NaN }],
    ['the times of its links lost', { superseded: undefined }],
    ['the times of its links as a string', { superseded: '[]' }],
  ])('a record with %s', (_what, members) => expectTrouble((stored) => ({ ...stored, ...members })))

  it('a code whose challenge was lost is not taken for one without (RFC 9700 §4.8.2)', async () => {
    const { store, state } = damaged()
    const server = fixture({ store })
    const code = await server.code()

    for (const lost of [without('challenge'), without('lifetime')]) {
      state.how = (stored) => ({ ...stored, data: lost(stored.data) })
      const { status, body } = await server.exchange(code, { code_verifier: undefined })
      expect(status).not.toBe(200)
      expect(body).not.toHaveProperty('access_token')
    }
  })

  it.each([
    ['a grant that is not one', { data: '{}' }, 'decode'],
    ['a record with its age lost', { age: undefined }, 'list'],
  ])('a page of signed-in devices leaves it out, with one event: %s', async (_what, members, operation) => {
    const store = memoryStore()
    let corrupt = false
    const server = fixture({
      store: {
        ...store,
        async list(subject, page) {
          const { grants, next } = await store.list(subject, page)
          const given = grants.map((grant, i) => (corrupt && i === 0 ? { ...grant, ...members } : grant))
          return { grants: given as StoredGrant[], next }
        },
      },
    })
    await server.tokens()
    await server.tokens({ client_id: 'other' })

    corrupt = true
    const { grants } = await server.oauth.grants.list('alice')
    expect(grants.map(({ clientId }) => clientId)).toEqual(['other'])
    expect(server.eventsOf('store.trouble')).toEqual([
      { type: 'store.trouble', operation, cause: expect.any(Error) },
    ])
    expect(await server.oauth.grants.revokeAll('alice')).toBe(2)
  })
})
