// The refresh token grant (RFC 6749 §6): the same token again, or one link further along the chain.
import { isPublic } from '../clients/client'
import { OAuthError } from '../errors'
import type { TokenRouterEvent } from '../events'
import { grantKey } from '../tokens/link'
import { locate, moveTo } from './chain'
import { absoluteLifetime, belongsTo, idleLifetime, isHonoured, isRefreshable } from './grant'
import type { ChainContext, GrantType, Issuance, TokenRequest } from './grant-type'
import { revokeReplayed } from './replay'
import { narrowAudience } from './resources'
import { narrowScope } from './scope'

export const refreshToken: GrantType<ChainContext> = {
  name: 'refresh_token',
  parameters: ['refresh_token', 'scope', 'resource'],

  async handle({ client, parameters }: TokenRequest, context: ChainContext): Promise<Issuance> {
    const presented = parameters.require('refresh_token')
    const link = context.links.decode('refresh_token', presented)
    if (!link || link.number === 0) throw refused('forged_refresh_token', isPublic(client))

    const key = grantKey(link.grantId)
    const stored = await context.store.find(key)
    if (!stored) {
      // A replay may have ended it and got 503, because a store that waits for its replicas waited in vain.
      await context.store.revoke(key)
      throw refused('unknown_refresh_token')
    }
    if (!belongsTo(stored, client)) throw refused('other_client')

    const grant = context.codec.decode(stored)
    const whose = { grant: key, clientId: stored.client, subject: grant.subject }
    const position = locate(link.number, stored, context.overlap)

    // Before scope and account: a thief must not be able to try a spent token out behind a bogus scope.
    if (position === 'spent') {
      await revokeReplayed(
        { kind: 'refresh_token', presented: link.number, stored, grant, revoke: true },
        context,
      )
      throw refused('spent_refresh_token')
    }
    if (position === 'ahead') throw refused('refresh_token_ahead')
    if (!isRefreshable(grant, stored, context.lifetimes)) throw refused('expired_refresh_token')
    if (!isHonoured(stored, client, context.now())) throw refused('granted_before_not_before')

    const scope = narrowScope(grant.scope, parameters.get('scope'))
    const audience = narrowAudience(grant.resources ?? [context.audience], parameters.getAll('resource'))

    // In the overlap the current token is handed out again: it is computed, so there is nothing to keep.
    const rotate = position !== 'overlap' && context.rotates(client)
    const good = position === 'overlap' ? stored.link : link.number
    const to = rotate ? good + 1 : good
    const events: TokenRouterEvent[] = []
    if (position === 'overlap')
      events.push({ type: 'refresh.overlap', presented: link.number, current: stored.link, ...whose })
    if (position === 'lost-write')
      events.push({ type: 'grant.caught-up', from: stored.link, to: link.number, ...whose })

    return {
      grant,
      key,
      client,
      scope,
      audience,
      nonce: undefined,
      refreshToken:
        to === link.number && link.byFirstSecret
          ? presented
          : context.links.encode('refresh_token', { grantId: link.grantId, number: to }),
      endsIn: absoluteLifetime(grant, context.lifetimes) - stored.age,
      events,
      commit: () =>
        context.store.advance(key, stored.link, moveTo(to, idleLifetime(grant, context.lifetimes))),
    }
  },
}

/**
 * One text for every cause (RFC 6749 §5.2), so that the answer helps nobody to guess. Counted by the rate limit only
 * where nobody has proved anything: by a stale token or a made-up one nobody locks out a client and all its users.
 */
function refused(reason: string, guess = false): OAuthError {
  return new OAuthError('invalid_grant', 'The refresh token is not valid.', { reason, guess })
}
