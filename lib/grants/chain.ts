// Where a presented link stands in its grant's chain. The rules of rotation, replay and lost writes are these.
import { randomUUID } from 'node:crypto'
import type { GrantMove, StoredGrant } from '../stores/token-store'

/**
 * - `current`: the link that is good.
 * - `overlap`: superseded a moment ago. The answer got lost, or two tabs refreshed at once: the current token again.
 * - `spent`: superseded long ago. Somebody else may hold it: a replay.
 * - `lost-write`: one ahead of the record. We did issue it, and the store lost that write in a failover.
 * - `ahead`: further ahead. A restored backup; no write of a moment ago explains it.
 */
export type Position = 'current' | 'overlap' | 'spent' | 'lost-write' | 'ahead'

/** @param overlap Seconds for which a superseded link still gets the current token; 0 is strict. */
export function locate(presented: number, stored: StoredGrant, overlap: number): Position {
  if (presented === stored.link) return 'current'
  if (presented === stored.link + 1) return 'lost-write'
  if (presented > stored.link) return 'ahead'
  return secondsSinceSuperseded(presented, stored) < overlap ? 'overlap' : 'spent'
}

/** Infinity where it is too long ago to be remembered: the record keeps the times of four links. */
export function secondsSinceSuperseded(presented: number, stored: StoredGrant): number {
  return stored.superseded[stored.link - presented - 1] ?? Number.POSITIVE_INFINITY
}

/** A step along the chain, or on the spot. Its `op` need only differ from that of the move before: 48 random bits. */
export function moveTo(link: number, expiresIn: number): GrantMove {
  // Node keeps a stock of random UUIDs, so this is the cheapest source of them.
  const op = Buffer.from(randomUUID().slice(-12), 'hex').toString('base64url')
  return { op, to: link, expiresIn }
}
