// The host's own users, with all the claims of OpenID Connect Core §5.1. Yours are in your database.
import { randomBytes } from 'node:crypto'
import { hashPassword, passwordMatches } from '../quickstart/passwords'

export interface User {
  /** What tokens carry as `sub`: it never changes hands, as a username may. */
  readonly id: string
  readonly username: string
  readonly passwordHash: Promise<string>
  readonly claims: Readonly<Record<string, unknown>> & { readonly name: string }
}

const users: readonly User[] = [
  {
    id: '1001',
    username: 'alice',
    passwordHash: hashPassword('wonderland'),
    claims: {
      name: 'Alice Pleasance Liddell',
      given_name: 'Alice',
      middle_name: 'Pleasance',
      family_name: 'Liddell',
      nickname: 'Ally',
      preferred_username: 'alice',
      profile: 'https://example.com/alice',
      picture: 'https://example.com/alice.png',
      website: 'https://alice.example.com',
      gender: 'female',
      birthdate: '1852-05-04',
      zoneinfo: 'Europe/London',
      locale: 'en-GB',
      updated_at: 1735689600,
      email: 'alice@example.com',
      email_verified: true,
      phone_number: '+44 20 7946 0958',
      phone_number_verified: true,
      address: {
        formatted: '1 Tom Quad\nOxford OX1 1DP\nUnited Kingdom',
        street_address: '1 Tom Quad',
        locality: 'Oxford',
        region: 'Oxfordshire',
        postal_code: 'OX1 1DP',
        country: 'United Kingdom',
      },
    },
  },
  {
    id: '1002',
    username: 'bob',
    passwordHash: hashPassword('builder'),
    claims: {
      name: 'Robert James Builder',
      given_name: 'Robert',
      middle_name: 'James',
      family_name: 'Builder',
      nickname: 'Bob',
      preferred_username: 'bob',
      profile: 'https://example.com/bob',
      picture: 'https://example.com/bob.png',
      website: 'https://bob.example.com',
      gender: 'male',
      birthdate: '0000-04-12', // the year is not told
      zoneinfo: 'America/New_York',
      locale: 'en-US',
      updated_at: 1735776000,
      email: 'bob@example.com',
      email_verified: false,
      phone_number: '+1 (212) 555-0123;ext=4',
      phone_number_verified: false,
      address: {
        formatted: '12 Spanner Street\nNew York, NY 10001\nUnited States',
        street_address: '12 Spanner Street',
        locality: 'New York',
        region: 'NY',
        postal_code: '10001',
        country: 'United States',
      },
    },
  },
]

/** Compared when there is no such user, so that the time an answer takes doesn't tell who has an account. */
const nobodysHash = hashPassword(randomBytes(16).toString('hex'))

export function userById(id: string): User | undefined {
  return users.find((user) => user.id === id)
}

export async function userByPassword(username: string, password: string): Promise<User | undefined> {
  const user = users.find((candidate) => candidate.username === username)
  const matches = await passwordMatches(password, await (user?.passwordHash ?? nobodysHash))
  return matches ? user : undefined
}
