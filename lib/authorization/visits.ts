// When a browser first came with a request. A user who is sent away to log in comes back to the same URL, which still
// asks for a login: by this it is known that the login is the one asked for. Kept in a cookie of that browser, under a
// MAC and tied to the whole request: nothing is kept on the server, and nobody else's visit counts.
import { createHmac, hash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { deriveKey } from '../tokens/derive-key'

/** A browser that comes with a request. */
export interface Visit {
  /** When it came first. */
  readonly since: Date
  /** Whether its cookie proves that it was here before. */
  readonly again: boolean
}

export interface Visits {
  find(req: IncomingMessage, request: string): Visit
  remember(req: IncomingMessage, res: ServerResponse, request: string, visit: Visit): void
  /** The request is answered: if it comes once more, it is a new one. */
  end(res: ServerResponse, request: string): void
}

const NAME = 'oauth_visits'
/** As many requests as a browser may have open at once. The oldest is forgotten, and asks for its login again. */
const MOST = 8
/** How long a user may take. */
export const REMEMBERED_SECONDS = 60 * 60

// A visit is request hash · time · MAC, 32 bytes in base64url.
const HASH = 12
const HEAD = HASH + 6
const MAC = 14
const VISIT = /^[\w-]{43}$/

export function createVisits(services: {
  issuer: string
  secrets: readonly Buffer[]
  /** The URL of the page that answers authorization requests: the cookie goes nowhere else. */
  page: string
  now: () => number
}): Visits {
  const { now } = services
  const keys = services.secrets.map((secret) => deriveKey(secret, services.issuer, 'visit'))
  const { pathname, protocol } = new URL(services.page)
  const attributes = [
    `Path=${pathname}`,
    'HttpOnly',
    // The login may be elsewhere, and leads back by a link or a redirect.
    'SameSite=Lax',
    ...(protocol === 'https:' ? ['Secure'] : []),
  ].join('; ')

  function macOf(key: (typeof keys)[number], head: Buffer): Buffer {
    return createHmac('sha256', key).update(head).digest().subarray(0, MAC)
  }

  function timeOf(visit: string): number {
    return Buffer.from(visit, 'base64url').readUIntBE(HASH, 6)
  }

  function isGood(visit: string): boolean {
    if (!VISIT.test(visit)) return false
    const bytes = Buffer.from(visit, 'base64url')
    const head = bytes.subarray(0, HEAD)
    // From the future it is where another server's clock is ahead.
    return (
      Math.abs(now() - timeOf(visit)) < REMEMBERED_SECONDS * 1000 &&
      keys.some((key) => timingSafeEqual(macOf(key, head), bytes.subarray(HEAD)))
    )
  }

  function visitsOf({ headers }: IncomingMessage): string[] {
    const found = new RegExp(`(?:^|;) *${NAME}=([\\w.-]*)`).exec(headers.cookie ?? '')?.[1] ?? ''
    return found.split('.').slice(0, MOST).filter(isGood)
  }

  function cookie(visits: readonly string[]): string {
    const maxAge = visits.length > 0 ? REMEMBERED_SECONDS : 0
    return `${NAME}=${visits.join('.')}; Max-Age=${maxAge}; ${attributes}`
  }

  /** The visit that this request belongs to. */
  function visitIn(visits: readonly string[], request: string): string | undefined {
    return visits.find((visit) => visit.startsWith(nameOf(request)))
  }

  return {
    find(req, request) {
      const before = visitIn(visitsOf(req), request)
      // Never later than now, or the login that follows would seem to be one before it.
      const since = before === undefined ? now() : Math.min(timeOf(before), now())
      return { since: new Date(since), again: before !== undefined }
    },

    remember(req, res, request, { since }) {
      const before = visitIn(visitsOf(req), request)
      if (before !== undefined && timeOf(before) === since.getTime()) return
      const head = Buffer.alloc(HEAD)
      head.write(nameOf(request), 'base64url')
      head.writeUIntBE(since.getTime(), HASH, 6)
      const visit = Buffer.concat([head, macOf(keys[0] as (typeof keys)[number], head)]).toString('base64url')
      const others = visitsOf(req).filter((other) => other !== before)
      setCookie(res, cookie([visit, ...others].slice(0, MOST)))
    },

    end(res, request) {
      const visits = visitsOf(res.req)
      const others = visits.filter((visit) => !visit.startsWith(nameOf(request)))
      setCookie(res, others.length < visits.length ? cookie(others) : undefined)
    },
  }
}

/** In place of what was to be set with this answer, and beside the cookies of the host. */
function setCookie(res: ServerResponse, cookie: string | undefined): void {
  const set = [res.getHeader('Set-Cookie') ?? []].flat().map(String)
  const others = set.filter((other) => !other.startsWith(`${NAME}=`))
  const all = cookie === undefined ? others : [...others, cookie]
  if (all.length > 0) res.setHeader('Set-Cookie', all)
  else res.removeHeader('Set-Cookie')
}

/** 12 bytes of the hash fill 16 characters, with which the text of its visit begins. */
function nameOf(request: string): string {
  return hash('sha256', request, 'buffer').toString('base64url', 0, HASH)
}
