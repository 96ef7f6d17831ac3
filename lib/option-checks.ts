// What is checked of an option when the router is created. Each fault has a code, the option's path and the remedy.
import type { Cluster, Redis } from 'ioredis'
import type { ClientAuthMethod } from './client-auth/client-auth-method'
import { LONGEST_SECONDS, optionalFunction, refuseNulls, refuseUnknownNames, seconds } from './config-values'
import { ConfigError } from './errors'
import { type ScopeClaims, STANDARD_SCOPE_CLAIMS } from './grants/claims'
import type { GrantType } from './grants/grant-type'
import { isResource, type Resources } from './grants/resources'
import { isScopeWord } from './grants/scope'
import type { CorsOption } from './http/cors'
import type { RateLimitOptions } from './http/rate-limit'
import { isSecure } from './loopback'
import { STORE_METHODS } from './stores/guarded-store'
import type { TokenStore } from './stores/token-store'
import type { SigningKeyInput } from './tokens/signing-keys'

export function checkIssuer(issuer: unknown): string {
  const fault = (what: string) =>
    new ConfigError(
      'bad_issuer',
      'issuer',
      what,
      'Use the https URL at which clients reach the router, such as https://app.example.com/oauth.',
    )
  if (typeof issuer !== 'string' || !URL.canParse(issuer)) throw fault('is not a URL.')
  const url = new URL(issuer)
  if (!isSecure(url)) {
    throw fault('is neither https nor http on a loopback host.')
  }
  if (/[?#]/.test(issuer) || url.username !== '' || url.password !== '')
    throw fault('has a query, a fragment or a user (RFC 8414 §2).')
  // Clients compare issuers character by character: what a parser would respell, one of them will.
  if (url.href !== issuer && url.href !== `${issuer}/`) throw fault(`is not in its normal form, ${url.href}.`)
  if (url.pathname.endsWith('//')) throw fault('ends in more than one slash.')
  return issuer
}

export function checkSecrets(secret: unknown): readonly Buffer[] {
  const secrets = Array.isArray(secret) ? secret : [secret]
  const remedy = 'Make one with: openssl rand -base64 32. Keep it: losing it ends every grant.'
  if (secrets.length === 0) throw new ConfigError('missing_secret', 'secret', 'is an empty list.', remedy)
  return secrets.map((one: unknown, i) => {
    const option = Array.isArray(secret) ? `secret[${i}]` : 'secret'
    if (one === undefined || one === '')
      throw new ConfigError('missing_secret', option, 'is missing.', remedy)
    if (typeof one !== 'string' && !(one instanceof Uint8Array))
      throw new ConfigError('missing_secret', option, 'is neither a string nor a Buffer.', remedy)
    const bytes = Buffer.from(one as string)
    if (bytes.length < 32)
      throw new ConfigError('weak_secret', option, `has ${bytes.length} bytes; it takes 32 or more.`, remedy)
    // 32 random bytes have 30 or so, and those that are spelled in hexadecimal 16.
    if (new Set(bytes).size < 8)
      throw new ConfigError('weak_secret', option, 'is not random: it repeats a few characters.', remedy)
    return bytes
  })
}

export function checkSigningKeys(keys: unknown): readonly SigningKeyInput[] {
  if (
    Array.isArray(keys) &&
    keys.length > 0 &&
    keys.every((key) => key !== undefined && key !== null && key !== '')
  )
    return keys
  throw new ConfigError(
    'missing_signing_key',
    'signingKeys',
    'is not a list of keys.',
    'Give [pem], for example from: openssl ecparam -name prime256v1 -genkey -noout.',
  )
}

export function checkAuthorizationEndpoint(
  authorizationEndpoint: unknown,
  authorize: unknown,
): string | undefined {
  if (authorizationEndpoint === undefined) return undefined
  if (authorize !== undefined) {
    throw new ConfigError(
      'two_authorization_endpoints',
      'authorizationEndpoint',
      'is given together with authorize.',
      'Leave one of them out: authorize mounts the endpoint of the router.',
    )
  }
  if (
    typeof authorizationEndpoint === 'string' &&
    URL.canParse(authorizationEndpoint) &&
    // RFC 6749 §3.1.
    !authorizationEndpoint.includes('#') &&
    isSecure(new URL(authorizationEndpoint))
  ) {
    return authorizationEndpoint
  }
  throw new ConfigError(
    'bad_authorization_endpoint',
    'authorizationEndpoint',
    'is not a URL.',
    'Give the full URL of your authorize page.',
  )
}

/** A store of the host's own has all methods; a URL or an ioredis client is for the Redis store. */
export function checkStore(store: unknown): TokenStore | Redis | Cluster | string | undefined {
  if (store === undefined || typeof store === 'string') {
    if (store === undefined || /^(?:rediss?:|\/)/.test(store)) return store
    throw new ConfigError(
      'bad_store_url',
      'store',
      'is a string but no Redis URL.',
      'Give redis://host:6379, an ioredis client, or a store such as memoryStore().',
    )
  }
  if (typeof store !== 'object' || store === null) {
    throw new ConfigError(
      'bad_store',
      'store',
      'is not a store.',
      'Give a Redis URL, an ioredis client, or a store such as memoryStore().',
    )
  }
  if (isRedisClient(store)) return store
  const missing = STORE_METHODS.filter(
    (name) => typeof (store as Record<string, unknown>)[name] !== 'function',
  )
  if (missing.length === 0) return store as TokenStore
  throw new ConfigError(
    'incomplete_store',
    'store',
    `has no method ${missing.join(', ')}.`,
    'Implement all of TokenStore; the suite in express-token-endpoint/testing checks them.',
  )
}

/** By its methods, not its class: the host may have another copy of ioredis than ours. */
export function isRedisClient(store: object): store is Redis | Cluster {
  return 'defineCommand' in store && 'duplicate' in store && 'status' in store
}

export function checkRateLimit(rateLimit: unknown): RateLimitOptions | false | undefined {
  if (rateLimit === undefined || rateLimit === false) return rateLimit
  if (typeof rateLimit !== 'object' || rateLimit === null) {
    throw new ConfigError(
      'bad_rate_limit',
      'rateLimit',
      'is neither an object nor false.',
      'Leave it out for the defaults, or set false to turn it off.',
    )
  }
  const options = rateLimit as RateLimitOptions
  const names: Readonly<Record<keyof RateLimitOptions, true>> = {
    windowSeconds: true,
    failuresPerAddress: true,
    failuresPerClient: true,
    store: true,
  }
  refuseUnknownNames('rateLimit.', options, names)
  seconds('rateLimit.windowSeconds', options.windowSeconds ?? 60, 1, LONGEST_SECONDS)
  count('rateLimit.failuresPerAddress', options.failuresPerAddress ?? 1)
  count('rateLimit.failuresPerClient', options.failuresPerClient ?? 1)
  optionalFunction('rateLimit.store', options.store)
  refuseNulls('rateLimit.', options)
  return options
}

export function checkCors(cors: unknown): CorsOption {
  if (typeof cors === 'boolean') return cors
  if (
    Array.isArray(cors) &&
    cors.every(
      (origin) => typeof origin === 'string' && URL.canParse(origin) && new URL(origin).origin === origin,
    )
  )
    return cors
  throw new ConfigError(
    'bad_cors',
    'cors',
    'is neither a boolean nor a list of origins.',
    'Give origins as browsers send them, such as https://spa.example.com.',
  )
}

export function checkMountPath(path: unknown): string {
  if (typeof path === 'string' && /^\/[^?#]*$/.test(path)) return path.replace(/\/+$/, '')
  throw new ConfigError(
    'bad_mount_path',
    'mountPath',
    'does not begin with a slash.',
    "Give the path of app.use(path, router), such as '/oauth'.",
  )
}

export function checkGrantType(grant: GrantType, i: number): void {
  if (
    typeof grant?.name === 'string' &&
    Array.isArray(grant.parameters) &&
    grant.parameters.every((name) => typeof name === 'string') &&
    typeof grant.handle === 'function'
  )
    return
  throw new ConfigError(
    'bad_grant_type',
    `grants[${i}]`,
    'is not a grant type.',
    'Give { name, parameters, handle }.',
  )
}

export function checkClientAuthMethod(method: ClientAuthMethod, i: number): void {
  if (
    typeof method?.name === 'string' &&
    typeof method.find === 'function' &&
    typeof method.verify === 'function'
  )
    return
  throw new ConfigError(
    'bad_client_auth_method',
    `clientAuthMethods[${i}]`,
    'is not a client-authentication method.',
    'Give { name, find, verify }.',
  )
}

export function checkDistinct(option: string, named: readonly { readonly name: string }[]): void {
  const names = named.map(({ name }) => name)
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined)
    throw new ConfigError('duplicate_name', option, `"${twice}" is there already.`, 'Give each its own name.')
}

export function checkScopeWord(word: unknown, i: number): string {
  if (isScopeWord(word)) return word
  throw new ConfigError(
    'bad_scope',
    `scopes[${i}]`,
    'is not a scope word.',
    'Use printable ASCII without spaces, quotes and backslashes (RFC 6749 §3.3).',
  )
}

export function checkResources(resources: unknown): Resources {
  if (typeof resources === 'function') return resources as Resources
  if (Array.isArray(resources) && resources.every(isResource)) return resources
  throw new ConfigError(
    'bad_resources',
    'resources',
    'is neither a function nor a list of absolute URIs without a fragment.',
    'Name each API as clients do, such as https://api.example.com (RFC 8707 §2).',
  )
}

/** With those of OpenID Connect Core §5.4. */
export function checkScopeClaims(scopeClaims: unknown, scopes: readonly string[]): ScopeClaims {
  const fault = (option: string, what: string, remedy: string) =>
    new ConfigError('bad_scope_claims', option, what, remedy)
  if (typeof scopeClaims !== 'object' || scopeClaims === null || Array.isArray(scopeClaims))
    throw fault('scopeClaims', 'is not an object.', "Give { membership: ['member_since'] }, or leave it out.")
  for (const [word, names] of Object.entries(scopeClaims)) {
    const option = `scopeClaims.${word}`
    if (!scopes.includes(word))
      throw fault(option, 'is not in scopes.', 'Add the word to scopes, or leave it out.')
    if (['openid', 'offline_access', ...Object.keys(STANDARD_SCOPE_CLAIMS)].includes(word))
      throw fault(option, 'means what OpenID Connect Core says.', 'Use a scope word of your own.')
    if (!Array.isArray(names) || !names.every((name) => typeof name === 'string' && name !== ''))
      throw fault(option, 'is not a list of names of claims.', "Give a list such as ['member_since'].")
  }
  return new Map(Object.entries({ ...STANDARD_SCOPE_CLAIMS, ...scopeClaims }))
}

function count(option: string, value: unknown): void {
  if (typeof value === 'number' && value >= 1) return
  throw new ConfigError(
    'bad_number',
    option,
    'is not a number of 1 or more.',
    'Set rateLimit: false for no limit.',
  )
}
