// Pushed requests (RFC 9126): kept for a while, found again by a URI that nobody can guess, and answered once. The
// store sees a hash of that URI: a copy of it opens no request.
import { hash, randomBytes } from 'node:crypto'
import type { Client } from '../clients/client'
import { OAuthError, unavailable } from '../errors'
import type { OnEvent } from '../events'
import { parametersOf, type RequestParameters } from '../parameters'
import type { TokenStore } from '../stores/token-store'
import { type AskedParameters, AUTHORIZATION_PARAMETERS } from './asked-parameters'
import { REMEMBERED_SECONDS, type Visit } from './visits'

export interface PushedRequests {
  /** Seconds in which a browser must come with a request that was pushed. */
  readonly expiresIn: number
  /** Keeps what the client asks for, and nothing of how it proved itself. Returns the `request_uri`. */
  push(client: Client, asked: AskedParameters): Promise<string>
  /**
   * @throws {OAuthError} `invalid_request_uri` when it is unknown, another client's or answered, or had expired when the
   * browser first came.
   */
  find(requestUri: string, client: Client, visit: Visit): Promise<AskedParameters>
  /**
   * Of those who answer a request, one passes (RFC 9126 §7.3). A request that was not pushed always does.
   *
   * @throws {OAuthError} `invalid_request_uri`
   */
  spend(requestUri: string | undefined): Promise<void>
}

/** RFC 9126 §2.2: with 256 random bits behind it. */
const PREFIX = 'urn:ietf:params:oauth:request_uri:'
const REFERENCE = /^[\w-]{43}$/

/** Far more than requests have. */
const MOST_CHARACTERS = 16 * 1024

/** Whether a `request_uri` is of this kind, and no URL that somebody would have to fetch (RFC 9101 §5.2). */
export function isPushed(requestUri: string): boolean {
  return requestUri.startsWith(PREFIX)
}

interface Kept {
  readonly client_id: string
  readonly signed: boolean
  readonly parameters: readonly (readonly [name: string, value: string])[]
}

export function createPushedRequests(services: {
  issuer: string
  store: TokenStore
  lifetimes: { readonly pushedRequestSeconds: number }
  emit: OnEvent
}): PushedRequests {
  const { issuer, store, lifetimes, emit } = services
  // RFC 9126 §2.2: a positive integer.
  const expiresIn = Math.floor(lifetimes.pushedRequestSeconds)

  /** `undefined` for what cannot be a key: the store is not asked. */
  function keyOf(requestUri: string): string | undefined {
    const reference = requestUri.slice(PREFIX.length)
    if (!isPushed(requestUri) || !REFERENCE.test(reference)) return undefined
    return `par:${hash('sha256', `${issuer}\0${reference}`, 'base64url')}`
  }

  function decode(value: string): Kept {
    const kept = parse(value)
    if (isKept(kept)) return kept
    const cause = new Error('The store returned a pushed request that this library did not write.')
    emit({ type: 'store.trouble', operation: 'decode', cause })
    throw unavailable('corrupt_pushed_request', cause)
  }

  return {
    expiresIn,

    async push(client, { parameters, signed }) {
      const requestUri = PREFIX + randomBytes(32).toString('base64url')
      const kept: Kept = {
        client_id: client.client_id,
        signed,
        parameters: entriesOf(parameters),
      }
      const value = JSON.stringify(kept)
      // RFC 9126 §2.3. Anybody may push in the name of a public client, and it stays for an hour.
      if (value.length > MOST_CHARACTERS)
        throw new OAuthError('invalid_request', 'The request is too large.', {
          status: 413,
          reason: 'large_pushed_request',
        })
      // Who came in time may take longer: for as long as it is remembered that a browser came. Both end by the clock of
      // the store, since app servers may disagree on the time.
      const key = keyOf(requestUri) as string
      await store.put(key, value, expiresIn + REMEMBERED_SECONDS)
      await store.put(openKeyOf(key), '', expiresIn)
      return requestUri
    },

    async find(requestUri, client, { again }) {
      const key = keyOf(requestUri)
      const value = key && (await store.get(key))
      if (key === undefined || value === undefined) throw invalid('unknown_request_uri', client)
      const kept = decode(value)
      // RFC 9126 §2.2: bound to the client that pushed it.
      if (kept.client_id !== client.client_id) throw invalid('other_client', client)
      if (!again && (await store.get(openKeyOf(key))) === undefined)
        throw invalid('expired_request_uri', client)
      return { parameters: parametersOf(kept.parameters), signed: kept.signed, requestUri }
    },

    async spend(requestUri) {
      if (requestUri === undefined) return
      const key = keyOf(requestUri)
      if (key === undefined || (await store.take(key)) === undefined) throw invalid('spent_request_uri')
    },
  }
}

/** Is there for as long as a browser may first come with the request. */
function openKeyOf(key: string): string {
  return `${key}:open`
}

/** RFC 9101 §7. In the same words whatever the cause. */
function invalid(reason: string, client?: Client): OAuthError {
  return new OAuthError('invalid_request_uri', 'The request URI is unknown, has expired or was used.', {
    reason,
    clientId: client?.client_id,
  })
}

function entriesOf(parameters: RequestParameters): Kept['parameters'] {
  return AUTHORIZATION_PARAMETERS.flatMap((name) =>
    parameters.getAll(name).map((value): [string, string] => [name, value]),
  )
}

function parse(value: string): unknown {
  try {
    return JSON.parse(value)
  } catch {
    return undefined
  }
}

function isKept(value: unknown): value is Kept {
  if (typeof value !== 'object' || value === null) return false
  const { client_id, signed, parameters } = value as Record<string, unknown>
  return (
    typeof client_id === 'string' &&
    typeof signed === 'boolean' &&
    Array.isArray(parameters) &&
    parameters.every(
      (pair) => Array.isArray(pair) && pair.length === 2 && pair.every((one) => typeof one === 'string'),
    )
  )
}
