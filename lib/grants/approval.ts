// What the host says that a user agreed to.
import type { ClaimNames } from './claims'

/** What a user agreed to. */
export interface Approval {
  /** The user, by the name that tokens carry as `sub`: at most 255 ASCII characters, never given to anyone else. */
  readonly subject: string
  /** What was granted, of what was asked for; all of it unless told. */
  readonly scope?: readonly string[] | undefined
  /** Which of the claims that were asked for by name; all of them unless told. */
  readonly claims?: Partial<ClaimNames> | undefined
  /**
   * The APIs that access tokens are for (RFC 8707 §2), of those that were asked for: all of them unless told. Where no
   * client asked, the APIs of a new grant.
   */
  readonly resources?: readonly string[] | undefined
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
