// What a code is tied to (RFC 6749 §4.1.3, RFC 7636 §4.6). Records are many and outlive their code by months, so they keep
// only a part of the hash of what is only compared.
import { hash } from 'node:crypto'
import { keptChallenge } from './pkce'

export interface CodeTerms {
  /** Seconds. */
  readonly lifetime: number
  /** 96 bits: enough to tell apart what one client has registered, and it is no secret. */
  readonly redirectUriHash: string
  /** Whether the authorization request named it, so that the token request must as well (RFC 6749 §4.1.3). */
  readonly redirectUriRequired: boolean
  /** Half of it, by {@link keptChallenge}; `null` where none was sent, and never missing: a lost one is not none. */
  readonly challenge: string | null
  readonly nonce: string | undefined
}

export function codeTerms(
  request: {
    readonly redirectUri: string
    readonly redirectUriRequired: boolean
    readonly codeChallenge: string | undefined
    readonly nonce: string | undefined
  },
  lifetime: number,
): CodeTerms {
  const { redirectUri, redirectUriRequired, codeChallenge, nonce } = request
  return {
    lifetime,
    redirectUriHash: hashOf(redirectUri),
    redirectUriRequired,
    challenge: codeChallenge === undefined ? null : keptChallenge(codeChallenge),
    nonce,
  }
}

/** RFC 6749 §4.1.3: the one of the authorization request, which may be left out only where it was left out there. */
export function isRedirectUri(terms: CodeTerms, presented: string | undefined): boolean {
  return presented === undefined ? !terms.redirectUriRequired : hashOf(presented) === terms.redirectUriHash
}

function hashOf(redirectUri: string): string {
  return hash('sha256', redirectUri, 'base64url').slice(0, 16)
}
