// What the host says that a user agreed to.
import type { ClaimNames } from './claims'

/** What a user agreed to. */
export interface Approval {
  /** The user, by the name that tokens carry as `sub`: at most 255 ASCII characters, never given to anyone else. */
  readonly subject: string
  /** What was granted, of what was asked for. Default: all of it. */
  readonly scope?: readonly string[] | undefined
  /**
   * Which of the claims that were asked for by name. Default: all of them, except those of a scope that was denied. A
   * member that is left out is none.
   */
  readonly claims?: Partial<ClaimNames> | undefined
  /**
   * The APIs that access tokens are for (RFC 8707 §2), of those that were asked for. Default: all of them. In
   * `newGrant`, where no client asked: the APIs of the grant.
   */
  readonly resources?: readonly string[] | undefined
  /**
   * When the user authenticated. It becomes `auth_time`. Default: now. Required where the client asks for it by `max_age`
   * or `prompt=login`.
   */
  readonly authTime?: Date | undefined
  /** A random name of the user's login at your app, never the id of its session. It becomes `sid`. */
  readonly sid?: string | undefined
  /** How the user authenticated (OpenID Connect Core §2). */
  readonly acr?: string | undefined
  readonly amr?: readonly string[] | undefined
  /** For a page of signed-in devices, such as "Firefox on Linux". */
  readonly label?: string | undefined
  /** `false`: the user did not agree to stay signed in, so there is no refresh token. */
  readonly refreshToken?: boolean | undefined
}
