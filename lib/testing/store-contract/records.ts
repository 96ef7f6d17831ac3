// What the rules write into a store, how they read what is in it, and how many do so at once.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { GrantMove, GrantRecord, StoredGrant, TokenStore } from '../../stores/token-store'

export const ODD_TEXTS = [
  '',
  '0',
  ' leading and trailing ',
  'line\nbreak\r\n\ttab',
  'NUL\0inside',
  `"quotes' \\backslash %s {braces} [brackets]`,
  'Grüße 例え 🔑 e\u0301 \u2028',
  '{"json":["\\u0000",1.0,null,9007199254740993]}',
  'long '.repeat(4000),
]

/** What a database may take for the same by its collation, or by how much of a string it indexes. */
export const ALMOST_ALIKE = ['e', 'E', 'e ', 'é', 'e\u0301', `${'e'.repeat(5000)}1`, `${'e'.repeat(5000)}2`]

/** 16 characters of base64url, as a hash is cut in the names of grants and subjects. */
export function randomId(): string {
  return randomBytes(12).toString('base64url')
}

export function aSubject(partition = randomBytes(2).toString('hex')): string {
  return `${partition}.${randomId()}`
}

export function partitionOf(name: string): string {
  return name.slice(0, 4)
}

export function aGrant(said: Partial<GrantRecord> = {}): GrantRecord {
  const subject = said.subject ?? aSubject()
  const key = `${partitionOf(subject)}.${randomId()}`
  return { key, subject, client: 'client', data: 'data', link: 0, expiresIn: 60, endsIn: 600, ...said }
}

export function aMove(to: number, said: Partial<GrantMove> = {}): GrantMove {
  return { op: randomId(), to, expiresIn: 60, ...said }
}

export async function inserted(store: TokenStore, said: Partial<GrantRecord> = {}): Promise<GrantRecord> {
  const grant = aGrant(said)
  await store.insert(grant)
  return grant
}

export async function find(store: TokenStore, key: string): Promise<StoredGrant> {
  const found = await store.find(key)
  assert.ok(found, 'the grant is there')
  return found
}

export async function listAll(store: TokenStore, subject: string, limit?: number): Promise<StoredGrant[]> {
  const grants: StoredGrant[] = []
  const places = new Set<string>()
  let page = await store.list(subject, limit === undefined ? {} : { limit })
  while (true) {
    assert.ok(page.grants.length <= (limit ?? 100), 'no more than the limit')
    grants.push(...page.grants)
    if (page.next === undefined) return grants
    assert.ok(!places.has(page.next), 'the pages come to an end')
    places.add(page.next)
    page = await store.list(subject, { ...(limit && { limit }), after: page.next })
  }
}

export async function keysOf(store: TokenStore, subject: string, limit?: number): Promise<string[]> {
  return (await listAll(store, subject, limit)).map(({ key }) => key).sort()
}

/** What was written at insert. */
export function written({ key, subject, client, data, link }: StoredGrant | GrantRecord) {
  return { key, subject, client, data, link }
}

export function fifty<T>(make: (i: number) => T): T[] {
  return Array.from({ length: 50 }, (_, i) => make(i))
}

/** One process, then the other. */
export function turn(i: number, store: TokenStore, other: TokenStore): TokenStore {
  return i % 2 === 0 ? store : other
}
