// Guards the host's own API with the tokens that it issues (RFC 6750, RFC 9068 §4).
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FindClient } from '../clients/client'
import { flag, refuseUnknownNames, text } from '../config-values'
import { ConfigError, OAuthError } from '../errors'
import { isHonoured } from '../grants/grant'
import { isScopeWord } from '../grants/scope'
import { respond } from '../http/respond'
import type { TokenStore } from '../stores/token-store'
import { type AccessTokenClaims, verifyAccessToken } from '../tokens/access-token'
import type { SigningKeys } from '../tokens/signing-keys'
import { bearerRefusal, bearerToken, invalidToken } from './bearer'

/** What a verified access token says. */
export interface AccessToken {
  readonly subject: string
  readonly clientId: string
  readonly scope: readonly string[]
  readonly expiresAt: Date
  readonly claims: AccessTokenClaims
}

declare global {
  namespace Express {
    interface Request {
      /** Set by `requireAccessToken`. */
      accessToken?: import('./require-access-token').AccessToken
    }
  }
}

/** What a route asks of an access token. */
export interface RequireAccessTokenOptions {
  /** The scope that is needed, separated by spaces. */
  readonly scope?: string
  /** Asks the store and `clients`, at each request, whether the grant is alive: a revocation then shows at once. */
  readonly checkGrant?: boolean
  /** The audience that the token must name. Default: that of the router. */
  readonly audience?: string
}

/** Middleware for Express and for node:http. */
export type RequireAccessToken = (
  req: IncomingMessage,
  res: ServerResponse,
  next: (error?: unknown) => void,
) => void

export function createRequireAccessToken(services: {
  issuer: string
  audience: string
  keys: SigningKeys
  store: TokenStore
  findClient: FindClient
  now: () => number
}): (options?: RequireAccessTokenOptions) => RequireAccessToken {
  const { issuer, keys, store, findClient, now } = services

  return (options = {}) => {
    const { needed, checkGrant, audience } = { audience: services.audience, ...checkOptions(options) }

    return async (req, res, next) => {
      try {
        ;(req as { accessToken?: AccessToken }).accessToken = await verify(req)
      } catch (error) {
        if (!(error instanceof OAuthError)) return next(error)
        return respond(res, bearerRefusal(error, issuer, needed))
      }
      next()
    }

    async function verify({ headers }: IncomingMessage): Promise<AccessToken> {
      const token = bearerToken(headers.authorization)
      const claims = verifyAccessToken(token, keys, { issuer, audience, now: Math.floor(now() / 1000) })
      if (!claims) throw invalidToken()
      const granted = claims.scope === undefined ? [] : claims.scope.split(' ')
      if (!needed.every((word) => granted.includes(word))) {
        throw new OAuthError('insufficient_scope', 'The access token lacks a scope.')
      }
      if (checkGrant && !(await isGranted(claims))) throw invalidToken()
      return {
        subject: claims.sub,
        clientId: claims.client_id,
        scope: granted,
        expiresAt: new Date(claims.exp * 1000),
        claims,
      }
    }

    async function isGranted(claims: AccessTokenClaims): Promise<boolean> {
      const stored = await store.find(claims.grant_id)
      if (!stored) return false
      const client = await findClient(stored.client)
      return client !== undefined && isHonoured(stored, client, now())
    }
  }
}

const NAMES: Readonly<Record<keyof RequireAccessTokenOptions, true>> = {
  scope: true,
  checkGrant: true,
  audience: true,
}

/** A name that is misspelled would leave a route open. @throws {ConfigError} */
function checkOptions(options: RequireAccessTokenOptions) {
  if (typeof options !== 'object' || options === null) {
    throw new ConfigError(
      'no_options',
      'requireAccessToken',
      'is not given an object.',
      "Call it with { scope: 'read' }.",
    )
  }
  refuseUnknownNames('requireAccessToken.', options, NAMES)
  const { scope = '', checkGrant = false, audience } = options
  const needed = scope === '' ? [] : typeof scope === 'string' ? scope.split(' ') : [scope]
  if (!needed.every(isScopeWord)) {
    throw new ConfigError(
      'bad_scope',
      'requireAccessToken.scope',
      'is not a scope.',
      'Separate its words by a space.',
    )
  }
  flag('requireAccessToken.checkGrant', checkGrant)
  if (audience === undefined) return { needed, checkGrant }
  return { needed, checkGrant, audience: text('requireAccessToken.audience', audience) }
}
