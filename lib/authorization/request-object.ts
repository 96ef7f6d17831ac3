// A request object (RFC 9101): the parameters of an authorization request, signed by the client.
import type { Client } from '../clients/client'
import { keysOf } from '../clients/client-keys'
import { OAuthError } from '../errors'
import { parametersOf, type ReceivedParameters } from '../parameters'
import { timeFault, verifySignature } from '../tokens/verify-jwt'
import { AUTHORIZATION_PARAMETERS } from './asked-parameters'

/** RFC 9101 §10.8: a type of its own is best, and not all clients set one. */
const TYPES = /^(?:(?:application\/)?oauth-authz-req\+jwt|JWT|)$/i

/**
 * What a client asks for in an object of its own. A `fault` is the client's, and it may be told.
 *
 * @param times.at When a browser first came with it: by then it must not have expired.
 * @throws {OAuthError} `invalid_request_object` for an object that this client did not make for this server, or that is
 * too old: its redirect URI is nobody's.
 */
export function readRequestObject(
  jwt: string,
  client: Client,
  { issuer, at, now }: { readonly issuer: string; readonly at: Date; readonly now: Date },
): { readonly parameters: ReceivedParameters; readonly fault: OAuthError | undefined } {
  const refuse = (description: string, reason: string) => invalid(description, reason, client)

  const claims = verifySignature(jwt, {
    typ: TYPES,
    keysFor: (header) => keysOf(client, header, client.request_object_signing_alg),
  })
  if (!claims) throw refuse('The request object is not signed by a key of the client.', 'bad_signature')
  const { iss, sub, aud, client_id } = claims
  // RFC 9101 §6.3, §10.8: neither an ID token nor a client assertion says all of this.
  if (client_id !== client.client_id || iss !== client.client_id)
    throw refuse('The request object names another client.', 'other_client')
  if (sub === client.client_id)
    throw refuse('The subject of the request object is the client.', 'client_assertion')
  if (![aud].flat().includes(issuer))
    throw refuse('The request object is for another server.', 'other_audience')
  const fault = timeFault(claims, { at, now })
  if (fault) throw refuse(`The request object ${fault}.`, 'untimely_request_object')

  const known = AUTHORIZATION_PARAMETERS.filter((name) => claims[name] !== undefined)
  const texts = known.map((name) => [name, textsOf(name, claims[name])] as const)
  const entries = texts.flatMap(([name, values]) => (values ?? []).map((value) => [name, value] as const))
  // RFC 9101 §4.
  const nested = known.some((name) => name === 'request' || name === 'request_uri')
  const odd = texts.find(([, values]) => values === undefined)
  return {
    parameters: parametersOf(entries),
    fault: nested
      ? refuse('A request object holds no other.', 'nested_request_object')
      : odd && refuse(`In the request object, ${odd[0]} is of a wrong type.`, 'malformed_request_object'),
  }
}

/**
 * A claim as the parameter that it stands for: strings, numbers, and objects as JSON (RFC 9101 §4, OpenID Connect Core
 * §6.1); a list only where a parameter may be repeated (RFC 8707 §2). `undefined` for anything else.
 */
function textsOf(name: string, claim: unknown): readonly string[] | undefined {
  if (Array.isArray(claim))
    return name === 'resource' && claim.every((one) => typeof one === 'string') ? claim : undefined
  if (typeof claim === 'string') return [claim]
  if (typeof claim === 'number') return [String(claim)]
  if (typeof claim !== 'object' || claim === null) return undefined
  try {
    return [JSON.stringify(claim)]
  } catch {
    return undefined // too deep for the stack
  }
}

function invalid(description: string, reason: string, client: Client): OAuthError {
  return new OAuthError('invalid_request_object', description, { reason, clientId: client.client_id })
}
