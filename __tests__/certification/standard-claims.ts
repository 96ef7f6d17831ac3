// The types of the standard claims, and which scope stands for which (OpenID Connect Core §5.1, §5.4).
const PROFILE = [
  ...['name', 'given_name', 'family_name', 'middle_name', 'nickname', 'preferred_username', 'profile'],
  ...['picture', 'website', 'gender', 'birthdate', 'zoneinfo', 'locale', 'updated_at'],
]

export const CLAIMS_OF_SCOPE: Readonly<Record<string, readonly string[]>> = {
  openid: ['sub'],
  profile: PROFILE,
  email: ['email', 'email_verified'],
  address: ['address'],
  phone: ['phone_number', 'phone_number_verified'],
}

const TYPES: Readonly<Record<string, string>> = {
  ...Object.fromEntries(['sub', ...PROFILE, 'email', 'phone_number'].map((name) => [name, 'string'])),
  updated_at: 'number',
  email_verified: 'boolean',
  phone_number_verified: 'boolean',
  address: 'object',
}

export function expectStandardClaims(claims: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(claims)) {
    if (name in TYPES) expect({ [name]: typeof value }).toEqual({ [name]: TYPES[name] })
  }
  if (claims.birthdate !== undefined) expect(claims.birthdate).toMatch(/^\d{4}(?:-\d{2}-\d{2})?$/)
  if (claims.updated_at !== undefined) {
    expect(claims.updated_at).toBeGreaterThan(Date.UTC(1990, 0) / 1000)
    expect(claims.updated_at).toBeLessThanOrEqual(Date.now() / 1000)
  }
  for (const value of Object.values(claims.address ?? { formatted: '' })) expect(typeof value).toBe('string')
}
