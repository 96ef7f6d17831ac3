// The answer to an authorization request, in the mode that the client asked for: by redirect (RFC 6749 §4.1.2), by a
// form that the browser posts (OAuth 2.0 Form Post Response Mode §2), and either of them signed (JARM §2.3).
import type { Client } from '../clients/client'
import { OAuthError } from '../errors'
import { type Answer, type AuthorizationResponse, respond } from '../http/respond'
import type { RequestParameters } from '../parameters'
import type { SignJwt } from '../tokens/sign-jwt'
import { FORM_POST_POLICY, formPostPage } from './form-post-page'
import type { Visits } from './visits'

/** `jwt` means `query.jwt` for the code flow (JARM §2.3.4). */
export const RESPONSE_MODES = ['query', 'form_post', 'jwt', 'query.jwt', 'form_post.jwt'] as const
export type ResponseMode = (typeof RESPONSE_MODES)[number]

/** To whom an answer goes, and how. */
export interface ResponseTarget {
  readonly client: Client
  readonly redirectUri: string
  readonly state: string | undefined
  readonly responseMode: ResponseMode
  /** Where the request is answered; `undefined` where it could not be read. */
  readonly returnTo?: string | undefined
}

export type RespondTo = (
  target: ResponseTarget,
  parameters: Readonly<Record<string, string>>,
) => Promise<AuthorizationResponse>

/** Seconds for which a signed response is good (JARM §2.1 recommends ten minutes at most). */
const SIGNED_RESPONSE_SECONDS = 600

export function createRespondTo(services: {
  issuer: string
  signJwt: SignJwt
  visits: Visits
  now: () => number
}): RespondTo {
  const { issuer, signJwt, visits, now } = services

  return async (target, parameters) => {
    const { client, redirectUri, state, responseMode, returnTo } = target
    // RFC 9207 §2: the client is told by whom.
    const plain = { ...parameters, ...(state !== undefined && { state }), iss: issuer }
    const sent = responseMode.endsWith('jwt') ? { response: await signed(client, plain) } : plain
    const answer = responseMode.startsWith('form_post')
      ? { ...formPost(redirectUri, sent), redirectTo: undefined }
      : redirect(redirectUri, sent)
    return {
      ...answer,
      send(res) {
        if (returnTo !== undefined) visits.end(res, returnTo)
        respond(res, answer)
      },
    }
  }

  /** JARM §2.1. */
  function signed(client: Client, parameters: Readonly<Record<string, string>>): Promise<string> {
    const { client_id, authorization_signed_response_alg: alg } = client
    const iat = Math.floor(now() / 1000)
    const exp = iat + SIGNED_RESPONSE_SECONDS
    return signJwt('JWT', { ...parameters, aud: client_id, iat, exp }, alg)
  }
}

export function errorParameters({ code, description }: OAuthError): Record<string, string> {
  return { error: code, error_description: description }
}

function formPost(redirectUri: string, parameters: Readonly<Record<string, string>>): Answer {
  return {
    status: 200,
    headers: { 'Content-Security-Policy': FORM_POST_POLICY },
    body: formPostPage(redirectUri, parameters),
  }
}

/**
 * The redirect URI with these parameters added. By hand, since a URL parser would respell what was compared to the
 * letter; registered URIs have no fragment (RFC 6749 §3.1.2). RFC 9700 §4.12: 303, so that a browser never posts the
 * user's form on to the client.
 */
export function redirect(redirectUri: string, parameters: Readonly<Record<string, string>>) {
  const query = new URLSearchParams(parameters).toString()
  const redirectTo =
    query === '' ? redirectUri : `${redirectUri}${redirectUri.includes('?') ? '&' : '?'}${query}`
  return { status: 303, headers: { Location: redirectTo }, redirectTo }
}

/** `undefined` for a mode that is not supported. */
export function responseModeOf(parameters: RequestParameters): ResponseMode | undefined {
  const asked = parameters.get('response_mode') ?? 'query'
  return RESPONSE_MODES.find((mode) => mode === asked)
}

/** The same error, with the response that tells the client of it. */
export async function withResponse(
  error: OAuthError,
  target: ResponseTarget,
  respondTo: RespondTo,
): Promise<OAuthError> {
  const { code, description, reason, cause } = error
  return new OAuthError(code, description, {
    reason,
    cause,
    clientId: target.client.client_id,
    response: await respondTo(target, errorParameters(error)),
  })
}
