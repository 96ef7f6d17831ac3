// The host's word, before each issuing, on whether the user may have tokens still.

import type { Client } from '../clients/client'
import { OAuthError } from '../errors'
import type { OnEvent } from '../events'
import { askHost } from '../host'
import type { Issuance } from './grant-type'

/** What the host says of a user each time tokens are issued. */
export interface Account {
  /** Grants authenticated before this are refused: "log out everywhere", a password change, a new policy. */
  readonly notBefore?: Date | undefined
  /** Claims of the host's own for access tokens. They never replace one that the library sets. */
  readonly accessTokenClaims?: Readonly<Record<string, unknown>> | undefined
  /** Claims of the host's own for ID tokens. They never replace one that the library sets. */
  readonly idTokenClaims?: Readonly<Record<string, unknown>> | undefined
}

/** For what an account is asked. */
export interface AccountContext {
  readonly client: Client
  /** What the user agreed to. */
  readonly scope: readonly string[]
  /** When the user last authenticated. */
  readonly authTime: Date
  readonly grantType: string
}

/**
 * Asked before any token is issued. `undefined`: this user may have no tokens any more, in this context; the answer
 * to the client is `invalid_grant`, and nothing is revoked.
 */
export type FindAccount = (
  subject: string,
  context: AccountContext,
) => Account | undefined | Promise<Account | undefined>

/** @throws {OAuthError} `invalid_grant` when the user may have none; 503 when the host cannot tell. */
export type AccountFor = (issuance: Issuance, grantType: string) => Promise<Account>

export function createAccountFor(findAccount: FindAccount, emit: OnEvent): AccountFor {
  return async ({ grant, client }, grantType) => {
    const authTime = new Date(grant.authTime)
    const account = await ask(grant.subject, { client, scope: grant.scope, authTime, grantType })
    if (!account) throw refused('account_refused')
    // In whole seconds, as `auth_time` has it.
    const { notBefore } = account
    if (notBefore !== undefined && !(grant.authTime >= Math.floor(notBefore.getTime() / 1000) * 1000)) {
      throw refused('authenticated_before_not_before')
    }
    return account
  }

  function ask(...question: Parameters<FindAccount>): Promise<Account | undefined> {
    return askHost('findAccount', emit, async () => {
      const account = await findAccount(...question)
      if (account?.notBefore !== undefined && !(account.notBefore instanceof Date)) {
        throw new TypeError('findAccount: notBefore is not a Date.')
      }
      return account
    })
  }
}

function refused(reason: string): OAuthError {
  return new OAuthError('invalid_grant', 'The user has to sign in again.', { reason, guess: false })
}
