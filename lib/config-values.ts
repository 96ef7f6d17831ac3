// Checks of values that a host gives, whatever they are for. Each fault is a ConfigError that names the option.
import { ConfigError } from './errors'

export function refuseUnknownNames(path: string, given: object, known: object): void {
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(known, name))
  if (unknown === undefined) return
  throw new ConfigError(
    'unknown_option',
    path + unknown,
    'is not an option.',
    `Use one of ${Object.keys(known).join(', ')}.`,
  )
}

/** Last, when all that has a better answer to null has given it. */
export function refuseNulls(path: string, given: object): void {
  const empty = Object.entries(given).find(([, value]) => value === null)
  if (empty)
    throw new ConfigError('null_option', path + empty[0], 'is null.', 'Leave it out for the default.')
}

export function required<F>(option: string, value: F, remedy: string): F {
  if (typeof value === 'function') return value
  throw new ConfigError(
    'missing_function',
    option,
    value === undefined ? 'is missing.' : 'is not a function.',
    remedy,
  )
}

export function optionalFunction<F>(option: string, value: F | undefined): F | undefined {
  if (value === undefined || typeof value === 'function') return value
  throw new ConfigError('not_a_function', option, 'is not a function.', 'Give a function, or leave it out.')
}

/** What a timer of Node can hold; above it, it fires at once. */
export const LONGEST_SECONDS = (2 ** 31 - 1) / 1000

export function seconds(
  option: string,
  value: unknown,
  least: number,
  most: number = Number.MAX_SAFE_INTEGER,
): number {
  if (typeof value === 'number' && Number.isFinite(value) && value >= least && value <= most) return value
  throw new ConfigError(
    'bad_number',
    option,
    most === Number.MAX_SAFE_INTEGER
      ? `is not a number of ${least} or more.`
      : `is not a number from ${least} to ${most}.`,
    'Times are in seconds.',
  )
}

export function text(option: string, value: unknown): string {
  if (typeof value === 'string' && value !== '') return value
  throw new ConfigError(
    'bad_string',
    option,
    'is not a string, or is empty.',
    'Give a string, or leave it out.',
  )
}

export function flag(option: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value
  throw new ConfigError('bad_flag', option, 'is not a boolean.', 'Give true or false, or leave it out.')
}

export function list<T>(option: string, value: readonly T[]): readonly T[] {
  if (Array.isArray(value)) return value
  throw new ConfigError('not_a_list', option, 'is not a list.', 'Give a list, or leave it out.')
}

export function oneOf<T extends string>(option: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === value)
  if (found !== undefined) return found
  throw new ConfigError(
    'unknown_value',
    option,
    `"${value}" is not one of its values.`,
    `Use ${allowed.join(', ')}.`,
  )
}
