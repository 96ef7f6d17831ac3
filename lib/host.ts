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

/**
 * The host's answer, as `read` makes something of it.
 *
 * @throws {OAuthError} 503 when either throws, or the host does not answer in time.
 */
export async function askHost<A, T = A>(
  operation: Operation,
  emit: OnEvent,
  ask: () => A | Promise<A>,
  read: (answer: A) => T = (answer) => answer as unknown as T,
): Promise<T> {
  try {
    return read(await inSeconds(operation, ask()))
  } catch (cause) {
    throw trouble(operation, emit, cause)
  }
}

/** The same for what says by its errors how a request is to be answered: they are passed on. */
export async function inTime<T>(operation: Operation, emit: OnEvent, ask: () => T | Promise<T>): Promise<T> {
  try {
    return await inSeconds(operation, ask())
  } catch (cause) {
    throw cause instanceof DeadlineError ? trouble(operation, emit, cause) : cause
  }
}

/** What is answered already needs no deadline. */
function inSeconds<T>(operation: Operation, answer: T | Promise<T>): T | Promise<T> {
  const isPending = typeof (answer as PromiseLike<T> | undefined)?.then === 'function'
  return isPending ? withDeadline(SECONDS, operation, Promise.resolve(answer)) : answer
}

function trouble(operation: Operation, emit: OnEvent, cause: unknown): OAuthError {
  emit({ type: 'host.trouble', operation, cause })
  return unavailable(REASONS[operation], cause)
}
