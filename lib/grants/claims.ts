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
 * Those of the names that this client may ask for: where its record limits its scope, what that scope stands for.
 * Otherwise a name would be a way around the limit.
 */
export function askableClaims(
  names: readonly string[],
  client: Client,
  scopeClaims: ScopeClaims,
): readonly string[] {
  if (client.scope === undefined) return names
  const allowed = claimsOfScope(client.scope.split(' '), scopeClaims)
  // OpenID Connect Core §5.2: behind the # is a language.
  return names.filter((name) => allowed.includes(name.split('#', 1)[0] as string))
}

/** OpenID Connect Core §5.3.2: a claim without a value is left out. */
export function releaseClaims(
  told: Readonly<Record<string, unknown>> | undefined,
  names: readonly string[],
): Record<string, unknown> {
  const entries = Object.entries(told ?? {})
  return Object.fromEntries(entries.filter(([name, value]) => names.includes(name) && value !== null))
}
