// Where clients come from: a list that was checked at start, or a function of the host's.
import type { OnEvent } from '../events'
import { askHost } from '../host'
import { type ClientRules, checkClient } from './check-clients'
import { type Client, type FindClient, isClientId } from './client'

export function createFindClient(
  clients: readonly Client[] | FindClient,
  rules: ClientRules,
  emit: OnEvent,
): FindClient {
  if (typeof clients !== 'function') {
    const byId = new Map(clients.map((client) => [client.client_id, client]))
    return (clientId) => byId.get(clientId)
  }
  return async (clientId) => {
    if (!isClientId(clientId)) return undefined
    return askHost(
      'clients',
      emit,
      () => clients(clientId),
      (found) => {
        if (!found || found.client_id !== clientId) return undefined
        const client = withoutNulls(found)
        checkClient(client, `clients(${JSON.stringify(clientId)})`, rules)
        return client
      },
    )
  }
}

/** A row of a table has null where a record has nothing. */
function withoutNulls(client: Client): Client {
  return Object.fromEntries(Object.entries(client).filter(([, value]) => value !== null)) as Client
}
