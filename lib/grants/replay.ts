// What happens when a spent code or refresh token comes back (RFC 6749 §4.1.2, RFC 9700 §4.14.2).
import type { StoredGrant } from '../stores/token-store'
import type { LinkKind } from '../tokens/link'
import type { Grant } from './grant'
import type { ChainContext } from './grant-type'

interface Replay {
  readonly kind: LinkKind
  readonly presented: number
  readonly stored: StoredGrant
  readonly grant: Grant
  /** Whether the grant ends for it, and with it all that the thief or the victim holds. */
  readonly revoke: boolean
}

export async function revokeReplayed(
  { kind, presented, stored, grant, revoke }: Replay,
  context: ChainContext,
): Promise<void> {
  const revoked = revoke && (await context.store.revoke(stored.key))
  const whose = { grant: stored.key, clientId: stored.client, subject: grant.subject }
  context.emit({ type: 'replay', kind, presented, current: stored.link, revoked, ...whose })
  if (revoked) context.emit({ type: 'grant.revoked', by: 'replay', count: 1, ...whose })
}
