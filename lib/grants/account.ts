// The host's word, before each issuing, on whether the user may have tokens still.

import type { Client } from '../clients/client'
import { OAuthError } from '../errors'
import type { OnEvent } from '../events'
import { askHost } from '../host'
import { askableClaims, claimsOfScope, releaseClaims, type ScopeClaims, withoutClaimsOf } from './claims'
import type { Grant } from './grant'

/** What the host says of a user each time tokens are issued, or userinfo is asked. */
export interface Account {
  /** Grants authenticated before this are refused: "log out everywhere", a password change, a new policy. */
  readonly notBefore?: Date | undefined
  /**
   * All that the host tells about the user, by the names of OpenID Connect Core §5.1 or its own. A client gets what the
   * scope stands for, from userinfo (§5.4), and what it asked for by name (§5.5). `sub` is not among them.
   */
  readonly claims?: Readonly<Record<string, unknown>> | undefined
  /** Claims of the host's own for access tokens. They never replace one that the library sets. */
  readonly accessTokenClaims?: Readonly<Record<string, unknown>> | undefined
  /** Claims of the host's own for ID tokens. They never replace one that the library sets. */
  readonly idTokenClaims?: Readonly<Record<string, unknown>> | undefined
}

/** For what an account is asked for. */
export interface AccountContext {
  readonly client: Client
  /** What the user agreed to. */
  readonly scope: readonly string[]
  /** When the user last authenticated. */
  readonly authTime: Date
  /** Whether tokens are to be issued, or the claims are for the userinfo endpoint. */
  readonly use: 'token' | 'userinfo'
  /** Of the token request. */
  readonly grantType: string | undefined
  /** The names of the claims that will be released, where the host tells them: others need not be looked up. */
  readonly claims: readonly string[]
}

/**
 * Asked before any token is issued, and by the userinfo endpoint. `undefined`: this user may have no tokens any more,
 * in this context; the answer to the client is `invalid_grant` or `invalid_token`, and nothing is revoked.
 */
export type FindAccount = (
  subject: string,
  context: AccountContext,
) => Account | undefined | Promise<Account | undefined>

/** For what a grant is used. */
export interface GrantUse {
  readonly grant: Grant
  readonly client: Client
  /** Of the access token: the grant's or narrower. */
  readonly scope: readonly string[]
}

/**
 * The account, with those of its claims that the client gets. @param grantType Of the token request; `undefined` at
 * the userinfo endpoint. @throws {OAuthError} `invalid_grant` when the user may have none; 503 when the host cannot
 * tell.
 */
export type AccountFor = (use: GrantUse, grantType?: string) => Promise<Account>

export function createAccountFor(
  findAccount: FindAccount,
  scopes: readonly string[],
  scopeClaims: ScopeClaims,
  emit: OnEvent,
): AccountFor {
  return async ({ grant, client, scope }, grantType) => {
    const use = grantType === undefined ? 'userinfo' : 'token'
    const claims = claimsFor(use, { grant, client, scope })
    const authTime = new Date(grant.authTime)
    const account = await ask(grant.subject, { client, scope: grant.scope, authTime, use, grantType, claims })
    if (!account) throw refused('account_refused')
    // In whole seconds, as `auth_time` has it.
    const { notBefore } = account
    if (notBefore !== undefined && !(grant.authTime >= Math.floor(notBefore.getTime() / 1000) * 1000)) {
      throw refused('authenticated_before_not_before')
    }
    return { ...account, claims: releaseClaims(account.claims, claims) }
  }

  /** OpenID Connect Core §5.4: with a code, what the scope stands for comes from userinfo, not in the ID token. */
  function claimsFor(use: AccountContext['use'], { grant, client, scope }: GrantUse): readonly string[] {
    const names = (asked: readonly string[] | undefined) => {
      if (asked === undefined) return []
      const dropped = grant.scope.filter((word) => !scope.includes(word))
      return withoutClaimsOf(dropped, scope, askableClaims(asked, client, scopes, scopeClaims), scopeClaims)
    }
    if (use === 'token') return scope.includes('openid') ? names(grant.claims?.idToken) : []
    return [...new Set([...claimsOfScope(scope, scopeClaims), ...names(grant.claims?.userinfo)])]
  }

  function ask(...question: Parameters<FindAccount>): Promise<Account | undefined> {
    return askHost(
      'findAccount',
      emit,
      () => findAccount(...question),
      (account) => {
        if (account?.notBefore !== undefined && !(account.notBefore instanceof Date)) {
          throw new TypeError('findAccount: notBefore is not a Date.')
        }
        return account
      },
    )
  }
}

function refused(reason: string): OAuthError {
  return new OAuthError('invalid_grant', 'The user has to sign in again.', { reason, guess: false })
}
