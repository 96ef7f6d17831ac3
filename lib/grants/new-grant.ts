// A grant without a code: how a grant type of the host's own gives a user tokens (RFC 6749 §4.5).
import type { TokenStore } from '../stores/token-store'
import type { Links } from '../tokens/link'
import type { ScopeClaims } from './claims'
import { absoluteLifetime, type Lifetimes } from './grant'
import type { GrantCodec } from './grant-codec'
import type { GrantContext } from './grant-type'
import { openGrant } from './open-grant'
import { narrowAudience } from './resources'

export function createNewGrant(services: {
  issuer: string
  audience: string
  store: TokenStore
  links: Links
  codec: GrantCodec
  scopeClaims: ScopeClaims
  lifetimes: Lifetimes
  now: () => number
}): GrantContext['newGrant'] {
  const { store, links } = services

  return (client, approval) => {
    const { grantId, grant, record } = openGrant({
      ...services,
      client,
      approval,
      asked: undefined,
      code: undefined,
    })
    return {
      grant,
      key: record.key,
      client,
      scope: grant.scope,
      audience: narrowAudience(grant.resources ?? [services.audience], []),
      nonce: undefined,
      refreshToken: grant.refreshable ? links.encode('refresh_token', { grantId, number: 1 }) : undefined,
      endsIn: absoluteLifetime(grant, services.lifetimes),
      events: [],
      async commit() {
        await store.insert(record)
        return true
      },
    }
  }
}
