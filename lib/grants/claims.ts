// Which claims about a user reach a client: what the granted scope stands for (OpenID Connect Core §5.4), and what the
// client asked for by name (§5.5). Nothing else of all that the host tells.
import type { Client } from '../clients/client'

/** Scope words, with the names of the claims that each stands for. */
export type ScopeClaims = ReadonlyMap<string, readonly string[]>

/** Names of claims that a client asked for one by one (OpenID Connect Core §5.5). */
export interface ClaimNames {
  /** From the userinfo endpoint. */
  readonly userinfo: readonly string[]
  /** In the ID token. */
  readonly idToken: readonly string[]
}

/** OpenID Connect Core §5.4. */
export const STANDARD_SCOPE_CLAIMS: Readonly<Record<string, readonly string[]>> = {
  profile: [
    'name',
    'family_name',
    'given_name',
    'middle_name',
    'nickname',
    'preferred_username',
    'profile',
    'picture',
    'website',
    'gender',
    'birthdate',
    'zoneinfo',
    'locale',
    'updated_at',
  ],
  email: ['email', 'email_verified'],
  address: ['address'],
  phone: ['phone_number', 'phone_number_verified'],
}

export function claimsOfScope(scope: readonly string[], scopeClaims: ScopeClaims): string[] {
  return scope.flatMap((word) => scopeClaims.get(word) ?? [])
}

/**
 * Those of the names that this client may ask for: what the scope stands for that the server knows and the client may
 * have. Otherwise a name would be a way around that, or to all that a host happens to tell.
 */
export function askableClaims(
  names: readonly string[],
  client: Client,
  scopes: readonly string[],
  scopeClaims: ScopeClaims,
): readonly string[] {
  const own = client.scope?.split(' ')
  const allowed = claimsOfScope(own ? scopes.filter((word) => own.includes(word)) : scopes, scopeClaims)
  return names.filter((name) => allowed.includes(withoutLanguage(name)))
}

/** The names without what the one scope stands for and the other does not. */
export function withoutClaimsOf(
  denied: readonly string[],
  granted: readonly string[],
  names: readonly string[],
  scopeClaims: ScopeClaims,
): readonly string[] {
  const kept = claimsOfScope(granted, scopeClaims)
  const lost = claimsOfScope(denied, scopeClaims).filter((name) => !kept.includes(name))
  return names.filter((name) => !lost.includes(withoutLanguage(name)))
}

/** OpenID Connect Core §5.2: behind the # is a language. */
function withoutLanguage(name: string): string {
  return name.split('#', 1)[0] as string
}

/** OpenID Connect Core §5.3.2: a claim without a value is left out. */
export function releaseClaims(
  told: Readonly<Record<string, unknown>> | undefined,
  names: readonly string[],
): Record<string, unknown> {
  const entries = Object.entries(told ?? {})
  return Object.fromEntries(entries.filter(([name, value]) => names.includes(name) && value !== null))
}
