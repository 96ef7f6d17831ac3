// The host's own users. Yours are in your database; the library never sees them, only the subject you tell it.
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'

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

async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16)
  const key = await deriveKey(password, salt)
  return `${salt.toString('base64url')}.${key.toString('base64url')}`
}

async function passwordMatches(password: string, hash: string): Promise<boolean> {
  const [salt = '', key = ''] = hash.split('.')
  const derived = await deriveKey(password, Buffer.from(salt, 'base64url'))
  return timingSafeEqual(derived, Buffer.from(key, 'base64url'))
}

/** With the cost that OWASP recommends for scrypt (2^15, 8, 3); Node's own default is lower. */
function deriveKey(password: string, salt: Buffer): Promise<Buffer> {
  const cost = { N: 2 ** 15, r: 8, p: 3, maxmem: 64 * 1024 * 1024 }
  return new Promise((resolve, reject) => {
    scrypt(password, salt, 32, cost, (error, key) => (error ? reject(error) : resolve(key)))
  })
}
