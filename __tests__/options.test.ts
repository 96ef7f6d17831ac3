import { generateKeyPairSync, type JsonWebKey, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { inspect } from 'node:util'
import { MemoryStore } from 'express-rate-limit'
import { ConfigError, createTokenRouter, memoryStore, type TokenRouterOptions } from '../lib'
import { CLIENTS, ES256, ISSUER, SECRET } from './support/fixture'

/** Options of any kind, as a user without types may give them. */
type Anything = Record<string, unknown>

const GOOD: TokenRouterOptions = {
  issuer: ISSUER,
  secret: SECRET,
  signingKeys: [ES256],
  clients: CLIENTS,
  findAccount: () => ({}),
  store: memoryStore(),
}

function create(options: Anything): void {
  void createTokenRouter({ ...GOOD, ...options } as TokenRouterOptions).close()
}

function faultOf(make: () => void): ConfigError {
  try {
    make()
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
  throw new Error('All of it was accepted.')
}

const rsa = (modulusLength: number) => generateKeyPairSync('rsa', { modulusLength })
const ES256_JWK = ES256.export({ format: 'jwk' })
const signer = {
  alg: 'ES256',
  kid: 'in-the-kms',
  publicJwk: { kty: ES256_JWK.kty, crv: ES256_JWK.crv, x: ES256_JWK.x, y: ES256_JWK.y } as JsonWebKey,
  sign: async () => 'x',
}
const client = { client_id: 'spa', token_endpoint_auth_method: 'none' }
const web = CLIENTS.find(({ client_id }) => client_id === 'web')

/** What is wrong, the options, the code, the option as the error names it, and a word of the remedy. */
type Fault = readonly [string, Anything, string, string | RegExp, string | RegExp]

const FAULTS: readonly Fault[] = [
  ['an unknown name', { isuer: ISSUER }, 'unknown_option', 'isuer', 'issuer, secret, signingKeys'],
  ['a name in another case', { signingkeys: [] }, 'unknown_option', 'signingkeys', 'signingKeys'],
  ['a name that every object has', { constructor: 1 }, 'unknown_option', 'constructor', 'issuer'],

  ['no issuer', { issuer: undefined }, 'bad_issuer', 'issuer', 'https'],
  ...[
    ['an issuer that is no URL', 'app.example.com/oauth'],
    ['an issuer that is a path', '/oauth'],
    ['an issuer over http', 'http://app.example.com/oauth'],
    ['an issuer that begins like loopback', 'http://localhost.example.com'],
    ['an issuer that ends like loopback', 'http://notlocalhost'],
    ['an issuer in a private network', 'http://192.168.0.1'],
    ['an issuer at all addresses', 'http://0.0.0.0'],
    ['an issuer of another scheme', 'ftp://app.example.com'],
    ['an issuer with a query (RFC 8414 §2)', 'https://app.example.com/oauth?x=1'],
    ['an issuer with an empty query (RFC 8414 §2)', 'https://app.example.com/oauth?'],
    ['an issuer with a fragment (RFC 8414 §2)', 'https://app.example.com/oauth#x'],
    ['an issuer with a user', 'https://user@app.example.com'],
    ['an issuer with a password', 'https://:password@app.example.com'],
    ['an issuer whose host is in capitals', 'https://App.example.com/oauth'],
    ['an issuer with the default port', 'https://app.example.com:443/oauth'],
    ['an issuer with dots', 'https://app.example.com/x/../oauth'],
    ['an issuer with a space', 'https://app.example.com/oauth '],
    ['an issuer with two slashes behind', 'https://app.example.com/oauth//'],
    ['an issuer that is a URL object', new URL('https://app.example.com')],
  ].map(([what, issuer]): Fault => [String(what), { issuer }, 'bad_issuer', 'issuer', 'https']),

  ['null for pkce', { pkce: null }, 'null_option', 'pkce', 'Leave it out'],
  ['null for cors', { cors: null }, 'null_option', 'cors', 'Leave it out'],
  ['null for a lifetime', { lifetimes: { codeSeconds: null } }, '', 'lifetimes.codeSeconds', ''],

  ['no secret', { secret: undefined }, 'missing_secret', 'secret', 'openssl rand -base64 32'],
  ['an empty secret', { secret: '' }, 'missing_secret', 'secret', 'openssl rand'],
  ['null for a secret', { secret: null }, 'missing_secret', 'secret', 'openssl rand'],
  ['a number for a secret', { secret: 1e40 }, 'missing_secret', 'secret', 'openssl rand'],
  ['a secret of 31 bytes', { secret: 'x'.repeat(31) }, 'weak_secret', 'secret', 'openssl rand'],
  ['a Buffer of 31 bytes', { secret: Buffer.alloc(31, 1) }, 'weak_secret', 'secret', 'openssl rand'],
  ["'a'.repeat(32) for a secret", { secret: 'a'.repeat(32) }, 'weak_secret', 'secret', 'openssl rand'],
  [
    'seven characters again and again',
    { secret: 'changme'.repeat(9) },
    'weak_secret',
    'secret',
    'openssl rand',
  ],
  ['a Buffer of zeros', { secret: [SECRET, Buffer.alloc(64)] }, 'weak_secret', 'secret[1]', 'openssl rand'],
  ['no secrets', { secret: [] }, 'missing_secret', 'secret', 'openssl rand'],
  ['a gap among secrets', { secret: [SECRET, undefined] }, 'missing_secret', 'secret[1]', 'openssl rand'],
  ['a weak second secret', { secret: [SECRET, 'short'] }, 'weak_secret', 'secret[1]', 'openssl rand'],

  ['no keys', { signingKeys: undefined }, 'missing_signing_key', 'signingKeys', 'openssl ecparam'],
  ['an empty list of keys', { signingKeys: [] }, 'missing_signing_key', 'signingKeys', 'openssl ecparam'],
  ['a key without a list', { signingKeys: ES256 }, 'missing_signing_key', 'signingKeys', '[pem]'],
  ['a key that is missing', { signingKeys: [undefined] }, 'missing_signing_key', 'signingKeys', 'openssl'],
  ['a key that is no key', { signingKeys: ['x'] }, 'unreadable_key', 'signingKeys[0]', 'PEM'],
  ['a number for a key', { signingKeys: [ES256, 5] }, 'unreadable_key', 'signingKeys[1]', 'PEM'],
  ['a JWK that is none', { signingKeys: [{ kty: 'EC' }] }, 'unreadable_key', 'signingKeys[0]', 'JWK'],
  [
    'a public key first',
    { signingKeys: [rsa(2048).publicKey, ES256] },
    'no_private_key',
    'signingKeys[0]',
    'private key first',
  ],
  ['one key twice', { signingKeys: [ES256, ES256] }, 'duplicate_kid', 'signingKeys', 'its own kid'],
  [
    'an RSA key of 1024 bits (RFC 7518 §3.3)',
    { signingKeys: [rsa(1024).privateKey] },
    'weak_key',
    'signingKeys[0]',
    '2048',
  ],
  [
    'a key of Ed25519',
    { signingKeys: [generateKeyPairSync('ed25519').privateKey] },
    'unsupported_key',
    'signingKeys[0]',
    'P-256',
  ],
  [
    'a key on secp256k1',
    { signingKeys: [generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey] },
    'unsupported_key',
    'signingKeys[0]',
    'P-256',
  ],
  [
    'an algorithm of another key',
    { signingKeys: [{ key: ES256, alg: 'RS256' }] },
    'wrong_algorithm',
    'signingKeys[0].alg',
    'ES256',
  ],
  [
    'no algorithm at all (RFC 7518 §3.6)',
    { signingKeys: [{ key: ES256, alg: 'none' }] },
    'wrong_algorithm',
    'signingKeys[0].alg',
    'ES256',
  ],
  [
    'a symmetric algorithm in a JWK',
    { signingKeys: [{ ...ES256_JWK, alg: 'HS256' }] },
    'wrong_algorithm',
    'signingKeys[0].alg',
    'ES256',
  ],
  ['a kid that is no string', { signingKeys: [{ key: ES256, kid: 5 }] }, '', 'signingKeys[0].kid', ''],
  ['a signer without alg', { signingKeys: [{ ...signer, alg: undefined }] }, '', /^signingKeys\[0\]/, ''],
  ['a signer of HS256', { signingKeys: [{ ...signer, alg: 'HS256' }] }, '', /^signingKeys\[0\]/, ''],
  [
    'a signer whose alg is not its key’s',
    { signingKeys: [{ ...signer, alg: 'RS256' }] },
    '',
    /^signingKeys\[0\]/,
    '',
  ],
  ['a signer without kid', { signingKeys: [{ ...signer, kid: undefined }] }, '', /^signingKeys\[0\]/, ''],
  [
    'a signer whose public key is none',
    { signingKeys: [{ ...signer, publicJwk: {} }] },
    'unreadable_key',
    'signingKeys[0].publicJwk',
    'public key',
  ],

  ['no clients', { clients: undefined }, 'bad_clients', 'clients', '(clientId) => client'],
  ['clients by their ids', { clients: { spa: client } }, 'bad_clients', 'clients', 'registered clients'],
  ['a client that is none', { clients: [client, null] }, 'bad_client_id', 'clients[1].client_id', 'App. A.1'],
  ['a client without an id', { clients: [{}] }, 'bad_client_id', 'clients[0].client_id', 'App. A.1'],
  ...['', 'ä', 'a\nb', 'x'.repeat(256), 5].map(
    (client_id): Fault => [
      `a client_id such as ${JSON.stringify(client_id).slice(0, 8)}`,
      { clients: [{ ...client, client_id }] },
      'bad_client_id',
      'clients[0].client_id',
      'App. A.1',
    ],
  ),
  ['one client twice', { clients: [client, { ...client }] }, 'duplicate_client', 'clients', 'once'],
  [
    'a method that is not there',
    { clients: [{ ...client, token_endpoint_auth_method: 'private_key_jwt' }] },
    'unknown_auth_method',
    'clients[0].token_endpoint_auth_method',
    'client_secret_basic, client_secret_post, none',
  ],
  [
    'a client of Basic without a secret',
    { clients: [{ client_id: 'web' }] },
    'missing_client_secret',
    'clients[0].client_secret_hash',
    'createClientSecret()',
  ],
  [
    'a client of post without a secret',
    {
      clients: [
        { client_id: 'web', token_endpoint_auth_method: 'client_secret_post', client_secret_hash: [] },
      ],
    },
    'missing_client_secret',
    'clients[0].client_secret_hash',
    "'none'",
  ],
  [
    'a public client with a secret',
    { clients: [{ ...web, token_endpoint_auth_method: 'none' }] },
    'public_client_with_secret',
    'clients[0].client_secret_hash',
    'Remove it',
  ],
  [
    'a secret in place of its hash',
    { clients: [{ ...web, client_secret_hash: 'web-secret' }] },
    'bad_client_secret_hash',
    'clients[0].client_secret_hash',
    'hashClientSecret(secret)',
  ],
  [
    'a secret among hashes',
    { clients: [{ ...web, client_secret_hash: [web?.client_secret_hash, 'sha256:x'].flat() }] },
    'bad_client_secret_hash',
    'clients[0].client_secret_hash',
    'createClientSecret()',
  ],
  ...[
    '/callback',
    'callback.example',
    'https://client.example/#x',
    'https://client.example/#',
    'https://client.example/ x',
    'https://client.example/ä',
    'javascript:alert(1)',
    'JavaScript:alert(1)',
    'data:text/html,x',
    'vbscript:x',
    'file:///x',
  ].map(
    (uri): Fault => [
      `the redirect URI ${uri} (RFC 6749 §3.1.2)`,
      { clients: [{ ...client, redirect_uris: ['https://client.example', uri] }] },
      'bad_redirect_uri',
      'clients[0].redirect_uris[1]',
      'exact URL',
    ],
  ),
  ...['/goodbye', 'https://client.example/#x', 'javascript:alert(1)', 'http://client.example/goodbye'].map(
    (uri): Fault => [
      `the post-logout redirect URI ${uri} (RP-Initiated Logout §3.1)`,
      { clients: [{ ...client, post_logout_redirect_uris: [uri] }] },
      'bad_redirect_uri',
      'clients[0].post_logout_redirect_uris[0]',
      'exact URL',
    ],
  ),
  ['logout that is no function', { logout: true }, 'not_a_function', 'logout', 'Give a function'],
  ...['redirect_uris', 'post_logout_redirect_uris', 'grant_types'].map(
    (name): Fault => [
      `${name} that are a string`,
      { clients: [{ ...client, [name]: 'https://client.example' }] },
      'bad_client_list',
      `clients[0].${name}`,
      'Give a list',
    ],
  ),
  [
    'a grant type that nobody knows (RFC 7591 §2)',
    { clients: [{ ...client, grant_types: ['refresh_token', 'implicit'] }] },
    'unknown_grant_type',
    'clients[0].grant_types[1]',
    'authorization_code, refresh_token, or add',
  ],
  ...[{ authorize: () => undefined }, { authorizationEndpoint: 'https://app.example.com/authorize' }].flatMap(
    (options) =>
      [undefined, []].map(
        (redirect_uris): Fault => [
          `${Object.keys(options)}, and a client that takes codes with ${inspect(redirect_uris)} for redirect URIs`,
          { ...options, clients: [{ ...client, redirect_uris }] },
          'missing_redirect_uris',
          'clients[0].redirect_uris',
          'Register where its codes go',
        ],
      ),
  ),
  ...[client, web].map(
    (record): Fault => [
      `the secret of ${record?.client_id} itself`,
      { clients: [{ ...record, client_secret: 'web-secret' }] },
      'plain_client_secret',
      'clients[0].client_secret',
      'Store client_secret_hash instead',
    ],
  ),
  [
    'a scope that is a list',
    { clients: [{ ...client, scope: ['openid'] }] },
    'bad_client_scope',
    'clients[0].scope',
    'spaces',
  ],
  [
    'an algorithm of ID tokens that no key makes (OIDC Registration §2)',
    { clients: [{ ...client, id_token_signed_response_alg: 'RS256' }] },
    '',
    'clients[0].id_token_signed_response_alg',
    'ES256',
  ],

  ['no findAccount', { findAccount: undefined }, 'missing_function', 'findAccount', '(subject) => account'],
  ['a findAccount that is none', { findAccount: {} }, 'missing_function', 'findAccount', '(subject)'],
  ['an authorize that is none', { authorize: {} }, 'not_a_function', 'authorize', 'Give a function'],
  ['an onEvent that is none', { onEvent: 'log' }, 'not_a_function', 'onEvent', 'Give a function'],
  ['a clock that is a time', { now: 5 }, 'not_a_function', 'now', 'Give a function'],
  [
    'an authorize page and a function',
    { authorizationEndpoint: 'https://app.example.com/authorize', authorize: () => undefined },
    'two_authorization_endpoints',
    'authorizationEndpoint',
    'one of them',
  ],
  ...[
    '/authorize',
    5,
    'javascript:alert(1)',
    'http://app.example.com/authorize',
    'https://app.example.com/#authorize',
    'https://app.example.com/authorize#',
  ].map(
    (authorizationEndpoint): Fault => [
      `an authorize page at ${authorizationEndpoint} (RFC 6749 §3.1)`,
      { authorizationEndpoint },
      'bad_authorization_endpoint',
      'authorizationEndpoint',
      'full URL',
    ],
  ),

  ['a store that is any string', { store: 'memory' }, 'bad_store_url', 'store', 'redis://host:6379'],
  ['an empty URL', { store: '' }, 'bad_store_url', 'store', 'memoryStore()'],
  ['the URL of something else', { store: 'http://localhost' }, 'bad_store_url', 'store', 'redis://'],
  ['a store that was not made', { store: memoryStore }, 'bad_store', 'store', 'memoryStore()'],
  ['null for a store', { store: null }, 'bad_store', 'store', 'memoryStore()'],
  ...Object.keys(memoryStore()).map(
    (name): Fault => [
      `a store without ${name}`,
      { store: { ...memoryStore(), [name]: undefined } },
      'incomplete_store',
      'store',
      'express-token-endpoint/testing',
    ],
  ),

  ['an audience of nothing', { audience: '' }, 'bad_string', 'audience', 'Give a string'],
  ['an audience of two', { audience: ['a', 'b'] }, 'bad_string', 'audience', 'Give a string'],
  ['scopes as a string', { scopes: 'openid' }, 'not_a_list', 'scopes', 'Give a list'],
  ...['', 'a b', 'a"b', 'a\\b', 'ä', 5].map(
    (word): Fault => [
      `the scope ${JSON.stringify(word)} (RFC 6749 §3.3)`,
      { scopes: ['openid', word] },
      'bad_scope',
      'scopes[1]',
      'ASCII',
    ],
  ),
  ...['https://api.example.com', [''], ['api'], ['/api'], ['https://api.example.com/#x'], [1], {}].map(
    (resources): Fault => [
      `${JSON.stringify(resources)} for resources (RFC 8707 §2)`,
      { resources },
      'bad_resources',
      'resources',
      'https://api.example.com',
    ],
  ),
  ['a list for scopeClaims', { scopeClaims: [] }, 'bad_scope_claims', 'scopeClaims', 'member_since'],
  ['a string for scopeClaims', { scopeClaims: 'email' }, 'bad_scope_claims', 'scopeClaims', 'member_since'],
  [
    'claims of a scope that the server does not know',
    { scopeClaims: { membership: ['member_since'] } },
    'bad_scope_claims',
    'scopeClaims.membership',
    'Add the word to scopes',
  ],
  ...['openid', 'offline_access', 'email'].map(
    (word): Fault => [
      `claims of ${word}, which OpenID Connect defines (OIDC Core §5.4, §11)`,
      { scopes: ['openid', 'offline_access', 'email'], scopeClaims: { [word]: ['name'] } },
      'bad_scope_claims',
      `scopeClaims.${word}`,
      'of your own',
    ],
  ),
  ...['member_since', [''], [1]].map(
    (names): Fault => [
      `${JSON.stringify(names)} for the claims of a scope`,
      { scopes: ['membership'], scopeClaims: { membership: names } },
      'bad_scope_claims',
      'scopeClaims.membership',
      'Give a list',
    ],
  ),
  [
    'a duty to push of text',
    { requirePushedAuthorizationRequests: 'yes' },
    'bad_flag',
    'requirePushedAuthorizationRequests',
    'true or false',
  ],
  ['pkce: false', { pkce: false }, 'unknown_value', 'pkce', 'always, public'],
  ['rotate: true', { rotate: true }, 'unknown_value', 'rotate', 'always, public, never'],

  ...['overlap', 'codeReplaySeconds', 'storeTimeoutSeconds'].flatMap((name) =>
    [-1, Number.NaN, Number.POSITIVE_INFINITY, '60', new Date()].map(
      (value): Fault => [
        `${name}: ${inspect(value).slice(0, 10)}`,
        { [name]: value },
        'bad_number',
        name,
        'seconds',
      ],
    ),
  ),
  ['no time at all for a store', { storeTimeoutSeconds: 0 }, 'bad_number', 'storeTimeoutSeconds', 'seconds'],
  ['a lifetime of 0', { lifetimes: { codeSeconds: 0 } }, 'bad_number', 'lifetimes.codeSeconds', 'seconds'],
  ...['codeSeconds', 'accessTokenSeconds', 'refreshIdleSeconds', 'refreshAbsoluteSeconds'].flatMap((name) =>
    [3_200_000_000, 1e15, Number.POSITIVE_INFINITY].map(
      (value): Fault => [
        `a lifetime of more than 100 years: ${name}: ${value}`,
        { lifetimes: { [name]: value } },
        'bad_number',
        `lifetimes.${name}`,
        'seconds',
      ],
    ),
  ),
  ['an unknown lifetime', { lifetimes: { code: 60 } }, 'unknown_option', 'lifetimes.code', 'codeSeconds'],
  ['lifetimes that are a number', { lifetimes: 600 }, '', 'lifetimes', ''],
  ['lifetimes that are a list', { lifetimes: [600] }, '', /^lifetimes/, ''],

  ['grants without a list', { grants: {} }, 'not_a_list', 'grants', 'Give a list'],
  ['a grant that is none', { grants: [null] }, 'bad_grant_type', 'grants[0]', '{ name, parameters, handle }'],
  [
    'a grant whose parameters are no names',
    { grants: [{ name: 'x', parameters: ['scope', 5], handle: () => undefined }] },
    'bad_grant_type',
    'grants[0]',
    'parameters',
  ],
  [
    'a grant without parameters',
    { grants: [{ name: 'x', handle: () => undefined }] },
    'bad_grant_type',
    'grants[0]',
    'parameters',
  ],
  [
    'a grant of a name that is taken',
    { grants: [{ name: 'refresh_token', parameters: [], handle: () => undefined }] },
    'duplicate_name',
    'grants',
    'its own name',
  ],
  ['methods without a list', { clientAuthMethods: {} }, 'not_a_list', 'clientAuthMethods', 'Give a list'],
  [
    'a method that is none',
    { clientAuthMethods: [{ name: 'x', find: () => undefined }] },
    'bad_client_auth_method',
    'clientAuthMethods[0]',
    '{ name, find, verify }',
  ],
  [
    'a method of a name that is taken',
    { clientAuthMethods: [{ name: 'none', find: () => undefined, verify: () => true }] },
    'duplicate_name',
    'clientAuthMethods',
    'its own name',
  ],

  ['rateLimit: true', { rateLimit: true }, 'bad_rate_limit', 'rateLimit', 'false'],
  ['rateLimit: null', { rateLimit: null }, 'bad_rate_limit', 'rateLimit', 'false'],
  [
    'an unknown limit',
    { rateLimit: { windowMs: 1000 } },
    'unknown_option',
    'rateLimit.windowMs',
    'windowSeconds, failuresPerAddress',
  ],
  ['a window of 0', { rateLimit: { windowSeconds: 0 } }, 'bad_number', 'rateLimit.windowSeconds', 'seconds'],
  // More milliseconds than a timer of Node can hold: it would fire at once, and forget each failure.
  [
    'a window of 30 days',
    { rateLimit: { windowSeconds: 2_592_000 } },
    'bad_number',
    'rateLimit.windowSeconds',
    '',
  ],
  ...['failuresPerAddress', 'failuresPerClient'].flatMap((name) =>
    [0, '5', Number.NaN].map(
      (value): Fault => [
        `${name}: ${inspect(value)}`,
        { rateLimit: { [name]: value } },
        'bad_number',
        `rateLimit.${name}`,
        /^(?!.*in seconds)/,
      ],
    ),
  ),
  [
    'a limiter store',
    { rateLimit: { store: new MemoryStore() } },
    'not_a_function',
    'rateLimit.store',
    'function',
  ],
  [
    'a function that makes no limiter store',
    { rateLimit: { store: () => undefined } },
    '',
    'rateLimit.store',
    '',
  ],
  [
    'a limiter store without get',
    { rateLimit: { store: () => ({ increment() {}, decrement() {}, resetKey() {} }) } },
    'rate_limit_store_without_get',
    'rateLimit.store',
    'rate-limit-redis',
  ],

  ...[
    'https://spa.example',
    ['https://spa.example/'],
    ['spa.example'],
    ['*'],
    ['null'],
    ['https://SPA.example'],
    [/spa/],
    5,
  ].map(
    (cors) => [`cors: ${inspect(cors)}`, { cors }, 'bad_cors', 'cors', 'https://spa.example.com'] as const,
  ),
  ['a mount path without a slash', { mountPath: 'oauth' }, 'bad_mount_path', 'mountPath', "'/oauth'"],
  ['an empty mount path', { mountPath: '' }, 'bad_mount_path', 'mountPath', 'app.use(path, router)'],
]

describe('createTokenRouter', () => {
  it.each(FAULTS)('names the option and the remedy at once for %s', (_, options, code, option, remedy) => {
    const error = faultOf(() => create(options))
    if (code !== '') expect(error.code).toBe(code)
    expect(error.code).toMatch(/^[a-z_]+$/)
    if (typeof option === 'string') expect(error.option).toBe(option)
    else expect(error.option).toMatch(option)
    expect(error.message.startsWith(`${error.option}: `)).toBe(true)
    expect(error.message).toMatch(remedy)
    // A fault and a remedy: two sentences at least, each with its end.
    expect(error.message).toMatch(/\.\s.+\.$/)
  })

  it.each([undefined, null, 'options', 5])('asks for options when it gets %p', (options) => {
    const error = faultOf(() => void createTokenRouter(options as never))
    expect([error.code, error.option]).toEqual(['no_options', 'options'])
    expect(error.message).toContain(
      'createTokenRouter({ issuer, secret, signingKeys, clients, findAccount })',
    )
  })

  const told = 'S3CR3T-s3cr3t'
  it.each<readonly [string, Anything]>([
    ['a weak secret', { secret: told }],
    ['a weak second secret', { secret: [SECRET, told] }],
    ['a key without a list', { signingKeys: told }],
    ['a key that is no key', { signingKeys: [told] }],
    [
      'an encrypted key',
      {
        signingKeys: [
          ES256.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: told }),
        ],
      },
    ],
    ['a broken key', { signingKeys: [`-----BEGIN PRIVATE KEY-----\n${told}\n-----END PRIVATE KEY-----`] }],
    ['a private JWK that lacks the rest', { signingKeys: [{ kty: 'EC', crv: 'P-256', d: told }] }],
    ['a symmetric key', { signingKeys: [{ kty: 'oct', k: told }] }],
    ['a good key of another algorithm', { signingKeys: [{ ...ES256_JWK, alg: 'RS256' }] }],
    ['a client with its plain secret', { clients: [{ client_id: 'web', client_secret: told }] }],
    ['a client secret for a hash', { clients: [{ client_id: 'web', client_secret_hash: told }] }],
    ['a client secret among hashes', { clients: [{ client_id: 'web', client_secret_hash: [told] }] }],
    ['clients that are a string', { clients: told }],
    ['a URL of no Redis', { store: `http://user:${told}@redis.example` }],
    ['a store of settings', { store: { password: told } }],
    ['an issuer with a user', { issuer: `https://user:${told}@app.example` }],
    ['an issuer with a password', { issuer: `https://:${told}@App.example` }],
    ['an issuer that is no URL', { issuer: told }],
    ['a time that is a string', { overlap: told }],
  ])('tells nothing secret in what it says of %s', (_, options) => {
    const text = inspect(
      faultOf(() => create(options)),
      { depth: 10, showHidden: true },
    ).toLowerCase()
    expect(text).not.toContain(told.toLowerCase())
    expect(text).not.toContain((ES256_JWK.d as string).slice(0, 12).toLowerCase())
  })

  it('opens nothing where an option is wrong', async () => {
    const redis = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1')
    await once(redis, 'listening')
    let connections = 0
    redis.on('connection', () => connections++)
    const store = `redis://127.0.0.1:${(redis.address() as AddressInfo).port}`
    expect(() => create({ store, rateLimit: { store: () => ({}) } })).toThrow(ConfigError)
    await delay(100)
    redis.close()
    expect(connections).toBe(0)
  })

  it.each<readonly [string, Anything]>([
    ['what is required', {}],
    [
      'undefined for all that may be left out',
      { authorize: undefined, lifetimes: undefined, rateLimit: undefined },
    ],
    ['an issuer without a path', { issuer: 'https://app.example.com' }],
    ['an issuer with a slash behind', { issuer: 'https://app.example.com/oauth/' }],
    ['an issuer with a port', { issuer: 'https://app.example.com:8443/oauth' }],
    ['an issuer on localhost', { issuer: 'http://localhost:3000' }],
    ['an issuer below localhost (RFC 6761 §6.3)', { issuer: 'http://app.localhost:3000/oauth' }],
    ['an issuer on 127.0.0.0/8 (RFC 1122 §3.2.1.3)', { issuer: 'http://127.1.2.3:3000' }],
    ['an issuer on ::1', { issuer: 'http://[::1]:3000/oauth' }],
    ['a secret of 32 bytes', { secret: '0123456789abcdef'.repeat(2) }],
    ['a secret of 32 bytes in 16 letters', { secret: 'äöüßéèêñ'.repeat(2) }],
    ['a secret in a Uint8Array', { secret: new Uint8Array(randomBytes(32)) }],
    ['several secrets', { secret: [SECRET, randomBytes(32)] }],
    ['a key in PEM', { signingKeys: [ES256.export({ type: 'pkcs8', format: 'pem' })] }],
    ['a key in SEC 1', { signingKeys: [ES256.export({ type: 'sec1', format: 'pem' })] }],
    ['a JWK', { signingKeys: [ES256_JWK] }],
    [
      'a key with its own alg and kid',
      { signingKeys: [{ key: rsa(2048).privateKey, alg: 'PS384', kid: 'x' }] },
    ],
    ['a signer', { signingKeys: [signer] }],
    ['no clients yet', { clients: [] }],
    [
      "a client of a grant type of the host's own",
      {
        clients: [{ ...client, grant_types: ['urn:example:x'] }],
        grants: [{ name: 'urn:example:x', parameters: [], handle: () => undefined }],
        authorize: () => undefined,
      },
    ],
    ['a client without redirect URIs where nothing authorizes', { clients: [client] }],
    ['a store of a class', { store: Object.create(memoryStore()) }],
    ['an authorize page', { authorizationEndpoint: 'https://app.example.com/authorize' }],
    ['an authorize page on loopback', { authorizationEndpoint: 'http://localhost:3000/authorize' }],
    ['the strictest times', { overlap: 0, codeReplaySeconds: 0, lifetimes: { codeSeconds: 1 } }],
    ['a rule for rotation', { rotate: () => true }],
    ['origins', { cors: ['https://spa.example', 'http://localhost:5173'] }],
    ['a mount path of a slash', { mountPath: '/' }],
    ['no limits', { rateLimit: false }],
  ])('accepts %s', (_, options) => {
    expect(() => create(options)).not.toThrow()
  })

  it('reads no environment: what is not given is not there', () => {
    process.env.OAUTH_SECRET = SECRET
    expect(faultOf(() => create({ secret: undefined })).code).toBe('missing_secret')
    delete process.env.OAUTH_SECRET
  })
})
