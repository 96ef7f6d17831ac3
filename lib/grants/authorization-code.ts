// The authorization code grant (RFC 6749 §4.1.3, RFC 7636 §4.6): link 0 of a grant is spent, link 1 begins.
import { isPublic } from '../clients/client'
import { OAuthError } from '../errors'
import { grantKey } from '../tokens/link'
import { locate, moveTo, secondsSinceSuperseded } from './chain'
import { isRedirectUri } from './code-terms'
import { absoluteLifetime, belongsTo, idleLifetime, isHonoured } from './grant'
import type { ChainContext, GrantType, Issuance, TokenRequest } from './grant-type'
import { verifyCodeChallenge } from './pkce'
import { revokeReplayed } from './replay'
import { narrowAudience } from './resources'

export const authorizationCode: GrantType<ChainContext> = {
  name: 'authorization_code',
  parameters: ['code', 'redirect_uri', 'code_verifier', 'resource'],

  async handle({ client, parameters }: TokenRequest, context: ChainContext): Promise<Issuance> {
    const link = context.links.decode('code', parameters.require('code'))
    if (link?.number !== 0) throw refused('forged_code', isPublic(client))

    const key = grantKey(link.grantId)
    const stored = await context.store.find(key)
    if (!stored) {
      // A replay may have ended it and got 503, because a store that waits for its replicas waited in vain.
      await context.store.revoke(key)
      throw refused('unknown_code')
    }
    if (!belongsTo(stored, client)) throw refused('other_client')

    const grant = context.codec.decode(stored)
    // A grant that began without a code has none to spend, whatever the MAC says.
    if (!grant.code) throw refused('unknown_code')

    if (!isRedirectUri(grant.code, parameters.get('redirect_uri'))) throw refused('redirect_uri_mismatch')
    if (!verifyCodeChallenge(grant.code.challenge, parameters.get('code_verifier')))
      throw refused('code_verifier_mismatch')

    // RFC 6749 §4.1.2: a spent code is refused, and what came of it SHOULD be revoked. Not within the first seconds:
    // there it is a browser that fired its callback twice.
    if (locate(link.number, stored, 0) !== 'current') {
      const revoke = secondsSinceSuperseded(link.number, stored) >= context.codeReplaySeconds
      await revokeReplayed({ kind: 'code', presented: link.number, stored, grant, revoke }, context)
      throw refused('spent_code')
    }
    const endsIn = absoluteLifetime(grant, context.lifetimes) - stored.age
    if (stored.age >= grant.code.lifetime || endsIn < 1) throw refused('expired_code')
    if (!isHonoured(stored, client, context.now())) throw refused('granted_before_not_before')

    return {
      grant,
      key,
      client,
      scope: grant.scope,
      audience: narrowAudience(grant.resources ?? [context.audience], parameters.getAll('resource')),
      nonce: grant.code.nonce,
      refreshToken: grant.refreshable
        ? context.links.encode('refresh_token', { grantId: link.grantId, number: 1 })
        : undefined,
      endsIn,
      events: [],
      commit: () =>
        context.store.advance(key, link.number, moveTo(1, idleLifetime(grant, context.lifetimes))),
    }
  },
}

/**
 * One text for every cause (RFC 6749 §5.2), so that the answer helps nobody to guess. Counted by the rate limit only
 * where nobody has proved anything: by a stale token or a made-up one nobody locks out a client and all its users.
 */
function refused(reason: string, guess = false): OAuthError {
  return new OAuthError('invalid_grant', 'The authorization code is not valid.', { reason, guess })
}
