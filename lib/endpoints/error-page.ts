// The page for the user, when there is no client to tell: the host's, or a plain one that echoes nothing of the request.
import type { Request, Response } from 'express'
import type { OAuthError } from '../errors'
import type { OnEvent } from '../events'
import { escapeHtml, page, pagePolicy } from '../http/page'
import type { Answer } from '../http/respond'

/**
 * The host's own page for an error that no client can be told. Use `res`, with `error.status`; `error.description` is
 * for whoever made the link. Escape what is shown.
 */
export type ErrorPage = (error: OAuthError, req: Request, res: Response) => void | Promise<void>

/** The answer; `undefined` when the host has answered itself. */
export type ShowError = (error: OAuthError, req: Request, res: Response) => Promise<Answer | undefined>

export function createShowError(
  errorPage: ErrorPage | undefined,
  what: 'sign-in' | 'sign-out',
  emit: OnEvent,
): ShowError {
  return async (error, req, res) => {
    if (errorPage) {
      try {
        if (error.retryAfter !== undefined) res.setHeader('Retry-After', String(error.retryAfter))
        await errorPage(error, req, res)
        return undefined
      } catch (cause) {
        emit({ type: 'host.trouble', operation: 'errorPage', cause })
      }
    }
    return {
      status: error.status,
      body: plainPage(error, what),
      headers: {
        'Content-Security-Policy': pagePolicy(),
        ...(error.retryAfter !== undefined && { 'Retry-After': String(error.retryAfter) }),
      },
    }
  }
}

function plainPage({ description, code, status }: OAuthError, what: string): string {
  const [title, advice] =
    status >= 500 || status === 429
      ? [
          `The ${what} does not work at the moment`,
          'Nothing is wrong with your account. Go back and try again in a moment.',
        ]
      : [
          `This ${what} cannot go on`,
          'The application that sent you here made a mistake. Go back to it, and tell its makers what follows.',
        ]
  return page(title, `<p>${advice}</p>\n<p>${escapeHtml(description)} <code>${code}</code></p>`)
}
