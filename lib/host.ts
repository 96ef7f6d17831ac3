// Functions of the host's: what they throw is told to the operator, and no request waits for them for ever.
import { DeadlineError, withDeadline } from './deadline'
import { type OAuthError, unavailable } from './errors'
import type { HostTroubleEvent, OnEvent } from './events'

/** Enough for a slow directory. What takes longer hangs. */
const SECONDS = 10

/** By what hangs or threw, the reason that the event of the refusal tells. */
const REASONS = {
  clients: 'find_client_failed',
  findAccount: 'find_account_failed',
  resources: 'resources_failed',
  sign: 'signing_failed',
  grants: 'grant_type_failed',
  clientAuthMethods: 'client_auth_method_failed',
} as const satisfies Partial<Record<HostTroubleEvent['operation'], string>>

type Operation = keyof typeof REASONS

/** @throws {OAuthError} 503 when the function throws, or does not answer in time. */
export async function askHost<T>(operation: Operation, emit: OnEvent, ask: () => T | Promise<T>): Promise<T> {
  try {
    return await withDeadline(SECONDS, operation, Promise.resolve(ask()))
  } catch (cause) {
    throw trouble(operation, emit, cause)
  }
}

/** The same for what says by its errors how a request is to be answered: they are passed on. */
export async function inTime<T>(operation: Operation, emit: OnEvent, ask: () => T | Promise<T>): Promise<T> {
  try {
    return await withDeadline(SECONDS, operation, Promise.resolve(ask()))
  } catch (cause) {
    throw cause instanceof DeadlineError ? trouble(operation, emit, cause) : cause
  }
}

function trouble(operation: Operation, emit: OnEvent, cause: unknown): OAuthError {
  emit({ type: 'host.trouble', operation, cause })
  return unavailable(REASONS[operation], cause)
}
