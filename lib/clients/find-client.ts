// Where clients come from: a list that was checked at start, or a function of the host's.
import { unavailable } from '../errors'
import type { OnEvent } from '../events'
import type { Client, FindClient } from './client'

export function createFindClient(clients: readonly Client[] | FindClient, emit: OnEvent): FindClient {
  if (typeof clients !== 'function') {
    const byId = new Map(clients.map((client) => [client.client_id, client]))
    return (clientId) => byId.get(clientId)
  }
  return async (clientId) => {
    try {
      return await clients(clientId)
    } catch (cause) {
      emit({ type: 'host.trouble', operation: 'clients', cause })
      throw unavailable('find_client_failed', cause)
    }
  }
}
