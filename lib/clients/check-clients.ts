// Client records of the host's, checked when the router is created (RFC 7591 §2).
import type { ClientAuthMethod } from '../client-auth/client-auth-method'
import { flag } from '../config-values'
import { ConfigError } from '../errors'
import { isSecure } from '../loopback'
import { ALGORITHMS } from '../tokens/signing-keys'
import {
  authMethodOf,
  type Client,
  type FindClient,
  isClientId,
  isPublic,
  mayUseGrant,
  momentOf,
} from './client'
import { checkKeySet, keysOf } from './client-keys'
import { isClientSecretHash } from './client-secret'

/** The options of a router that decide what a client of it can be. */
export interface ClientRules {
  readonly clientAuthMethods: readonly ClientAuthMethod[]
  readonly grantTypes: readonly { readonly name: string }[]
  readonly authorize?: unknown
  readonly authorizationEndpoint?: unknown
}

/** @throws {ConfigError} */
export function checkClients(clients: unknown, rules: ClientRules): readonly Client[] | FindClient {
  if (typeof clients === 'function') return clients as FindClient
  if (!Array.isArray(clients)) {
    throw new ConfigError(
      'bad_clients',
      'clients',
      'is neither a list nor a function.',
      'Give the registered clients, or (clientId) => client.',
    )
  }
  for (const [i, client] of clients.entries()) checkClient(client, `clients[${i}]`, rules)
  const ids = clients.map(({ client_id }: Client) => client_id)
  if (new Set(ids).size < ids.length)
    throw new ConfigError(
      'duplicate_client',
      'clients',
      'has the same client_id twice.',
      'Register each client once.',
    )
  return clients as Client[]
}

/** @throws {ConfigError} naming the member of the record. */
export function checkClient(client: Client, option: string, rules: ClientRules): void {
  if (typeof client !== 'object' || client === null || !isClientId(client.client_id)) {
    throw new ConfigError(
      'bad_client_id',
      `${option}.client_id`,
      'is not a string of printable ASCII characters.',
      'Give each client an id (RFC 6749 App. A.1).',
    )
  }
  const method = authMethodOf(client)
  const methods = rules.clientAuthMethods.map(({ name }) => name)
  if (!methods.includes(method)) {
    throw new ConfigError(
      'unknown_auth_method',
      `${option}.token_endpoint_auth_method`,
      `"${method}" is not known here.`,
      `Use ${methods.join(', ')}, or add a method in clientAuthMethods.`,
    )
  }
  if (client.client_secret !== undefined) {
    throw new ConfigError(
      'plain_client_secret',
      `${option}.client_secret`,
      'is a secret that anybody can read who reads the record.',
      'Store client_secret_hash instead: hashClientSecret(secret). A public client has neither.',
    )
  }
  const hashes = [client.client_secret_hash ?? []].flat()
  if (!hashes.every(isClientSecretHash)) {
    throw new ConfigError(
      'bad_client_secret_hash',
      `${option}.client_secret_hash`,
      'is not a hash of this library.',
      'Make it with createClientSecret() or hashClientSecret(secret).',
    )
  }
  if (NEED_SECRET.includes(method) && hashes.length === 0) {
    throw new ConfigError(
      'missing_client_secret',
      `${option}.client_secret_hash`,
      `is missing, and ${method} needs one.`,
      "Make it with createClientSecret(), or set token_endpoint_auth_method: 'none' for a public client.",
    )
  }
  if (isPublic(client) && hashes.length > 0) {
    throw new ConfigError(
      'public_client_with_secret',
      `${option}.client_secret_hash`,
      'is set on a public client.',
      'Remove it, or choose another token_endpoint_auth_method.',
    )
  }
  checkList(client.grant_types, `${option}.grant_types`)
  const grantTypes = rules.grantTypes.map(({ name }) => name)
  const unknown = client.grant_types?.findIndex((name) => !grantTypes.includes(name)) ?? -1
  if (unknown >= 0) {
    throw new ConfigError(
      'unknown_grant_type',
      `${option}.grant_types[${unknown}]`,
      'is not known here.',
      `Use ${grantTypes.join(', ')}, or add a grant type in grants.`,
    )
  }
  for (const member of ['redirect_uris', 'post_logout_redirect_uris'] as const) {
    checkList(client[member], `${option}.${member}`)
    for (const [j, uri] of (client[member] ?? []).entries())
      checkRedirectUri(uri, `${option}.${member}[${j}]`)
  }
  const authorizes = rules.authorize !== undefined || rules.authorizationEndpoint !== undefined
  if (authorizes && mayUseGrant(client, 'authorization_code') && !client.redirect_uris?.length) {
    throw new ConfigError(
      'missing_redirect_uris',
      `${option}.redirect_uris`,
      'is missing, and the client may use authorization_code.',
      'Register where its codes go, or leave it out of grant_types, which is [] for an API that only asks about tokens.',
    )
  }
  if (client.application_type !== undefined && !['web', 'native'].includes(client.application_type)) {
    throw new ConfigError(
      'unknown_value',
      `${option}.application_type`,
      'is not one of its values.',
      'Use web or native.',
    )
  }
  if (client.notBefore !== undefined && momentOf(client.notBefore) === undefined) {
    throw new ConfigError(
      'bad_not_before',
      `${option}.notBefore`,
      'is neither a Date nor a string such as 2026-01-31T12:00:00Z.',
      'Give the moment since which grants are good, with its zone (RFC 3339 §5.6), or leave it out.',
    )
  }
  const maxAge = client.default_max_age
  if (maxAge !== undefined && !(Number.isInteger(maxAge) && maxAge >= 0)) {
    throw new ConfigError(
      'bad_number',
      `${option}.default_max_age`,
      'is not a whole number of 0 or more.',
      'Times are in seconds.',
    )
  }
  if (client.scope !== undefined && typeof client.scope !== 'string') {
    throw new ConfigError(
      'bad_client_scope',
      `${option}.scope`,
      'is not a string.',
      'Separate its words by spaces (RFC 7591 §2).',
    )
  }
  const { require_pushed_authorization_requests: pushed = false } = client
  flag(`${option}.require_pushed_authorization_requests`, pushed)
  checkSignedRequests(client, option)
}

/** What a client signs its requests with (RFC 9101 §10.5). */
function checkSignedRequests(client: Client, option: string): void {
  const { jwks, request_object_signing_alg: alg, require_signed_request_object: required = false } = client
  if (jwks !== undefined) checkKeySet(jwks, `${option}.jwks`)
  flag(`${option}.require_signed_request_object`, required)
  if (required && jwks === undefined) {
    throw new ConfigError(
      'missing_jwks',
      `${option}.jwks`,
      'is missing, and the client must sign its requests.',
      'Register its public keys.',
    )
  }
  if (alg !== undefined && keysOf(client, {}, alg).length === 0) {
    throw new ConfigError(
      'wrong_algorithm',
      `${option}.request_object_signing_alg`,
      'is made by none of its keys.',
      `Leave it out, or use one of ${ALGORITHMS.join(', ')} that a key in jwks can make.`,
    )
  }
}

const NEED_SECRET = ['client_secret_basic', 'client_secret_post']

function checkList(value: unknown, option: string): void {
  if (value === undefined || (Array.isArray(value) && value.every((one) => typeof one === 'string'))) return
  throw new ConfigError(
    'bad_client_list',
    option,
    'is not a list of strings.',
    'Give a list, even of one (RFC 7591 §2).',
  )
}

/** Schemes that run, show or send what they are given are no place for a code. */
const NEVER = /^(?:javascript|data|vbscript|blob|file|about|view-source|mailto|ftp|wss?):/i

/** RFC 6749 §3.1.2: absolute, without a fragment. RFC 9700 §2.6: not http, but on the machine itself. */
function checkRedirectUri(uri: unknown, option: string): void {
  if (typeof uri === 'string' && /^[\x21-\x7E]+$/.test(uri) && URL.canParse(uri) && !uri.includes('#')) {
    if (!NEVER.test(uri) && (!/^http:/i.test(uri) || isSecure(new URL(uri)))) return
  }
  throw new ConfigError(
    'bad_redirect_uri',
    option,
    'is not an absolute URL without a fragment, by https or by the scheme of an app.',
    'Register the exact URL that the client sends (RFC 9700 §2.1, §2.6); http is for loopback hosts only.',
  )
}

/** What of a server's signatures a client may choose (OpenID Connect Registration §2, JARM §3). */
const CHOSEN_ALGORITHMS = ['id_token_signed_response_alg', 'authorization_signed_response_alg'] as const

/** @throws {ConfigError} when no key makes the algorithm that a client wants. */
export function checkSigningAlgorithms(clients: readonly Client[], algorithms: readonly string[]): void {
  for (const [i, client] of clients.entries()) {
    for (const member of CHOSEN_ALGORITHMS) {
      const alg = client[member]
      if (alg === undefined || algorithms.includes(alg)) continue
      throw new ConfigError(
        'unknown_algorithm',
        `clients[${i}].${member}`,
        'is made by none of signingKeys.',
        `Leave it out, use ${algorithms.join(', ')}, or add a key.`,
      )
    }
  }
}
