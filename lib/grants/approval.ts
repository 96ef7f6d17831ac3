// What the host says of its users: whether one may have tokens, and what one agreed to.
import type { Client } from '../clients/client'

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

/** What a user agreed to. */
export interface Approval {
  /** The user, by the name that tokens carry as `sub`: at most 255 ASCII characters, never given to anyone else. */
  readonly subject: string
  /** What was granted, of what was asked for; all of it unless told. */
  readonly scope?: readonly string[] | undefined
  /** When the user authenticated; now unless told. It becomes `auth_time`. */
  readonly authTime?: Date | undefined
  /** The user's session at the host. It becomes `sid`. */
  readonly sid?: string | undefined
  /** How the user authenticated (OpenID Connect Core §2). */
  readonly acr?: string | undefined
  readonly amr?: readonly string[] | undefined
  /** For a page of signed-in devices, such as "Firefox on Linux". */
  readonly label?: string | undefined
  /** `false`: the user did not agree to stay signed in, so there is no refresh token. */
  readonly refreshToken?: boolean | undefined
}
