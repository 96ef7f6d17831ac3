// Asks the host, before each issuing, whether the user may have tokens still.
import { OAuthError, unavailable } from '../errors'
import type { OnEvent } from '../events'
import type { Account, FindAccount } from './approval'
import type { Issuance } from './grant-type'

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

  async function ask(...question: Parameters<FindAccount>): Promise<Account | undefined> {
    try {
      const account = await findAccount(...question)
      if (account?.notBefore !== undefined && !(account.notBefore instanceof Date)) {
        throw new TypeError('findAccount: notBefore is not a Date.')
      }
      return account
    } catch (cause) {
      emit({ type: 'host.trouble', operation: 'findAccount', cause })
      throw unavailable('find_account_failed', cause)
    }
  }
}

function refused(reason: string): OAuthError {
  return new OAuthError('invalid_grant', 'The user has to sign in again.', { reason })
}
