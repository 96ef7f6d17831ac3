// The host's own users. Yours are in your database; the library never sees them, only the subject you tell it.
import { randomBytes } from 'node:crypto'
import { hashPassword, passwordMatches } from './passwords'

export interface User {
  /** What tokens carry as `sub`. A UUID in a real table: a username may change hands, a subject never does. */
  readonly id: string
  readonly username: string
  readonly name: string
  readonly passwordHash: Promise<string>
}

// A promise only because the demo hashes its one password at start; in a database it is text.
const users: readonly User[] = [
  { id: 'alice', username: 'alice', name: 'Alice Liddell', passwordHash: hashPassword('wonderland') },
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
