// Request parameters, from a query or a form (RFC 6749 App. B).
import { OAuthError } from './errors'

/** The parameters of a request, each at most once (RFC 6749 §3.2) and never empty (§3.1: that is omitted). */
export interface RequestParameters {
  get(name: string): string | undefined
  /** @throws {OAuthError} `invalid_request` when it is missing. */
  require(name: string): string
  /** Of those few that may be repeated (RFC 8707 §2, RFC 8693 §2.1). */
  getAll(name: string): readonly string[]
}

/** RFC 8707 §2 and RFC 8693 §2.1 let these two be repeated; nothing else may be (RFC 6749 §3.1, §3.2). */
const REPEATABLE = new Set(['resource', 'audience'])

/** One for all requests: frozen, since functions of the host get it too. */
const NONE: readonly string[] = Object.freeze([])

/** The parameters as they came, with what is wrong about them as a whole. */
export interface ReceivedParameters extends RequestParameters {
  /** The names that came more than once; a request that has any is refused. */
  readonly repeated: ReadonlySet<string>
}

export function parametersOf(entries: Iterable<readonly [string, string]>): ReceivedParameters {
  const values = new Map<string, string[]>()
  const repeated = new Set<string>()
  for (const [name, value] of entries) {
    const before = values.get(name)
    // RFC 6749 §3.1, §3.2: a parameter sent without a value is treated as if it were omitted.
    const sent = value === '' ? [] : [value]
    if (before === undefined) values.set(name, sent)
    else if (REPEATABLE.has(name)) before.push(...sent)
    else repeated.add(name)
  }
  return { repeated, ...view((name) => values.get(name) ?? NONE) }
}

/** RFC 6749 §3.1, §3.2: request parameters must not be included more than once. */
export const REPEATED = 'A parameter was sent more than once.'

/** @throws {OAuthError} `invalid_request` when a parameter came more than once. */
export function refuseRepeated({ repeated }: ReceivedParameters): void {
  if (repeated.size > 0) throw new OAuthError('invalid_request', REPEATED, { reason: 'repeated_parameter' })
}

/** The same parameters, but for all that is not named. */
export function only(names: readonly string[], parameters: RequestParameters): RequestParameters {
  return view((name) => (names.includes(name) ? parameters.getAll(name) : NONE))
}

function view(valuesOf: (name: string) => readonly string[]): RequestParameters {
  const get = (name: string) => valuesOf(name)[0]
  return {
    getAll: valuesOf,
    get,
    require(name) {
      const value = get(name)
      if (value !== undefined) return value
      throw new OAuthError('invalid_request', `The parameter ${name} is missing.`, {
        reason: 'missing_parameter',
      })
    },
  }
}

/** A list of words as OAuth has it: separated by spaces (RFC 6749 §3.3, OpenID Connect Core §3.1.2.1). */
export function words(text: string | undefined): readonly string[] {
  return text === undefined ? [] : text.split(' ').filter((word) => word !== '')
}
