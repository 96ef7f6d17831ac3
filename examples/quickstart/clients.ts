// The registered clients. Yours come from a table; the names of the columns are those of RFC 7591.
import { type Client, hashClientSecret } from 'express-token-endpoint'
import { origin } from './settings'

/** Where the page that this demo serves takes its authorization response. */
export const pageRedirectUri = `${origin}/callback`

/** For whatever else wants to try the server: a script, a debugger, another app. */
const scriptRedirectUri = 'http://127.0.0.1:3999/callback'

const grantTypes = ['authorization_code', 'refresh_token']

export const clients: readonly Client[] = [
  {
    client_id: 'spa',
    client_name: 'Quickstart page',
    redirect_uris: [pageRedirectUri, scriptRedirectUri],
    grant_types: grantTypes,
    token_endpoint_auth_method: 'none', // a page in a browser can keep no secret
  },
  {
    client_id: 'web',
    client_name: 'Web server',
    redirect_uris: [scriptRedirectUri],
    grant_types: grantTypes,
    token_endpoint_auth_method: 'client_secret_basic',
    client_secret_hash: hashClientSecret('web-secret'), // yours is random: see createClientSecret
  },
  {
    client_id: 'post',
    client_name: 'Web server that posts its secret',
    redirect_uris: [scriptRedirectUri],
    grant_types: grantTypes,
    token_endpoint_auth_method: 'client_secret_post',
    client_secret_hash: hashClientSecret('post-secret'),
  },
]

/** What the user reads on the consent page and in the list of devices. */
export function clientName(clientId: string): string {
  return clients.find((client) => client.client_id === clientId)?.client_name ?? clientId
}
