// The registered clients, from a file: a list of records in the names of RFC 7591, each with its secret in the clear. Yours
// come from a table, which keeps `client_secret_hash` only.
import { readFileSync } from 'node:fs'
import { type Client, hashClientSecret } from 'express-token-endpoint'

export function readClients(file: string): readonly Client[] {
  let records: unknown
  try {
    records = JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    throw new Error(`CLIENTS_FILE cannot be read: ${(error as Error).message}`)
  }
  if (!Array.isArray(records) || !records.every((record) => record && typeof record === 'object'))
    throw new Error(`CLIENTS_FILE holds no list of clients: ${file}`)
  return records.map(withHashedSecret)
}

/** What else is wrong with a record, the router says when it is created. */
function withHashedSecret({ client_secret: secret, ...client }: Client): Client {
  return typeof secret === 'string' ? { ...client, client_secret_hash: hashClientSecret(secret) } : client
}
