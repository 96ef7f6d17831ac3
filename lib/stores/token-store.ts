// What a store does. It knows nothing of OAuth: opaque records that move along a chain, one compare-and-set,
// one index by subject, and short-lived keys. Everything that implements it passes `express-token-endpoint/testing`.

/**
 * Names one grant: four hexadecimal characters (its partition), a dot, 16 characters of base64url. All grants
 * of one subject share the partition, so that a clustered store can keep them on one node.
 */
export type GrantKey = string

/** Whether a string has the form of a {@link GrantKey}: what a caller hands in must not reach a store unchecked. */
export function isGrantKey(text: unknown): text is GrantKey {
  return typeof text === 'string' && /^[0-9a-f]{4}\.[A-Za-z0-9_-]{16}$/.test(text)
}

/** A grant as it is handed to {@link TokenStore.insert}. Nothing but its link and its times ever changes. */
export interface GrantRecord {
  readonly key: GrantKey
  /** Whose grant it is. Opaque, but it begins with the same partition as `key`: `list` and `revokeAll` ask by it. */
  readonly subject: string
  /** For which client it is. Opaque: `revokeAll` filters by it. */
  readonly client: string
  /** What the grant says. Opaque, and given back exactly as it came. */
  readonly data: string
  /** The link the chain begins with. */
  readonly link: number
  /** Seconds until the record expires, if no move lets it live longer. */
  readonly expiresIn: number
  /** Seconds until it expires whatever moves are made. */
  readonly endsIn: number
}

/** The latest state of a grant. Times are ages in seconds by the clock of the store, never below zero. */
export interface StoredGrant {
  readonly key: GrantKey
  readonly subject: string
  readonly client: string
  readonly data: string
  /** The number of the current link. */
  readonly link: number
  /** Seconds since the insert. */
  readonly age: number
  /** Seconds since the last move, or since the insert. */
  readonly idle: number
  /** Seconds since each of the last four links before the current one was superseded, newest first. */
  readonly superseded: readonly number[]
}

/** A move of a grant along its chain; see {@link TokenStore.advance}. */
export interface GrantMove {
  /** Random, one for each move: by it a command that reaches the store twice is told from a second attempt. */
  readonly op: string
  /** The link after the move, `from` or greater. Each link passed is superseded now; from n to n, none is. */
  readonly to: number
  /** Seconds from now that the record shall live at least. Expiry only grows, up to the end set at insert. */
  readonly expiresIn: number
}

/** Which of a subject's grants. */
export interface GrantFilter {
  /** Only the grants for this client. */
  readonly client?: string
}

/** Which part of a subject's grants. */
export interface Page {
  /** How many grants at most. Default: 100. */
  readonly limit?: number
  /** `next` of the page before. After anything else there are no grants: it may come from a form or a link. */
  readonly after?: string
}

/** Some of a subject's grants, and where the rest begins. */
export interface GrantPage {
  readonly grants: readonly StoredGrant[]
  /** Where the next page begins; `undefined` after the last. A page may hold fewer grants than its limit. */
  readonly next: string | undefined
}

/** For stores that count their inserts and begin a page behind such a number: undefined for what is none. */
export function serialOf(after: string): number | undefined {
  return /^\d{1,15}$/.test(after) ? Number(after) : undefined
}

/**
 * How many grants one subject may have for one client, so that nobody can fill a store. Above it the oldest at link 0
 * goes, and where there is none, the oldest; never the new one. Whoever makes a user begin many flows must not end
 * the ones in use. Of many inserts at once, that one in use goes at most and one of the new ones stays is enough: the
 * count may be off for a moment.
 */
export const MAX_GRANTS_PER_CLIENT = 100

/**
 * Where grants live. Each method may reject; the caller then assumes nothing about what was done.
 *
 * - Stores use their own clock: callers pass durations and get ages, so that app servers may disagree on the time.
 * - Reads are as fresh as writes: from a primary, not from a replica that lags.
 * - Keys have the documented form, and all strings are well-formed Unicode: the caller has checked.
 * - "Atomic" means: against every other call for the same key, from any process.
 */
export interface TokenStore {
  /** Keeps a new grant. A key that is already there stays as it is: a command may be sent twice. */
  insert(grant: GrantRecord): Promise<void>

  /** The grant's latest state; `undefined` when it was never there, was revoked or has expired. */
  find(key: GrantKey): Promise<StoredGrant | undefined>

  /**
   * Moves the grant from link `from`, if that is still its link and it has not expired, and says whether it did.
   * True also if this very move (`move.op`) was the last one made. False if `to` < `from`: a chain never goes back.
   * Atomic: of many callers that move from the same link to a later one, exactly one wins.
   */
  advance(key: GrantKey, from: number, move: GrantMove): Promise<boolean>

  /** Removes the grant, from the index as well; false when it was not there. Nothing brings it back. */
  revoke(key: GrantKey): Promise<boolean>

  /** The live grants of a subject, in pages, in no promised order. Costs what the subject has, never a scan of others. */
  list(subject: string, page?: Page): Promise<GrantPage>

  /** Removes the live grants of a subject and says how many there were. */
  revokeAll(subject: string, filter?: GrantFilter): Promise<number>

  /**
   * Sets a short-lived key for `ttl` seconds. When it is there already nothing changes, not even how long it lives:
   * true when it holds this very value, since a command may be sent twice; false when it holds another. Atomic.
   */
  put(key: string, value: string, ttl: number): Promise<boolean>

  /** The value of a short-lived key. */
  get(key: string): Promise<string | undefined>

  /** Gets and deletes a short-lived key: of many callers, one gets the value. Atomic. */
  take(key: string): Promise<string | undefined>

  /** Lets go of what the store itself opened. */
  close(): Promise<void>
}
