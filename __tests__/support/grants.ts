// Records as a router writes them, for tests of stores.
import { randomBytes } from 'node:crypto'
import type { GrantMove, GrantRecord } from '../../lib/stores/token-store'

/** 16 characters of base64url, as in the names of grants and subjects. */
export function randomId(): string {
  return randomBytes(12).toString('base64url')
}

export function aSubject(): string {
  return `${randomBytes(2).toString('hex')}.${randomId()}`
}

export function aGrant(said: Partial<GrantRecord> = {}): GrantRecord {
  const subject = said.subject ?? aSubject()
  const key = `${subject.slice(0, 4)}.${randomId()}`
  return { key, subject, client: 'client', data: 'data', link: 0, expiresIn: 60, endsIn: 600, ...said }
}

export function aMove(to: number, said: Partial<GrantMove> = {}): GrantMove {
  return { op: randomId(), to, expiresIn: 60, ...said }
}
