// Keys that sign tokens. Parsed once; the algorithm follows from the key; one of them may live in a KMS.
import { createPrivateKey, createPublicKey, hash, type JsonWebKey, KeyObject } from 'node:crypto'
import { ConfigError } from '../errors'
import { createSign } from './jws'
import type { Signer, SigningAlgorithm } from './signer'

/** A key in any form; `alg` and `kid` where they shall not follow from the key. */
export type SigningKeyInput =
  | string
  | JsonWebKey
  | KeyObject
  | Signer
  | { readonly key: string | JsonWebKey | KeyObject; readonly alg?: SigningAlgorithm; readonly kid?: string }

/** A key that verifies, and signs when its private half is here. */
export interface SigningKey {
  readonly alg: SigningAlgorithm
  readonly kid: string
  readonly publicJwk: JsonWebKey
  readonly publicKey: KeyObject
  readonly signer: Signer | undefined
}

export interface SigningKeys {
  /** All, for `jwks_uri`. */
  readonly published: readonly SigningKey[]
  /** Those that can be signed with. */
  readonly algorithms: readonly SigningAlgorithm[]
  /** The first key that signs, or the first of this algorithm. */
  signer(alg?: string): Signer | undefined
  byId(kid: unknown): SigningKey | undefined
}

export function createSigningKeys(inputs: readonly SigningKeyInput[]): SigningKeys {
  const published = inputs.map((input, i) => parseKey(input, `signingKeys[${i}]`))
  const byId = new Map(published.map((key) => [key.kid, key]))
  if (byId.size < published.length) {
    throw new ConfigError(
      'duplicate_kid',
      'signingKeys',
      'two keys have the same kid.',
      'Give each key once, or its own kid.',
    )
  }
  if (!published[0]?.signer) {
    throw new ConfigError(
      'no_private_key',
      'signingKeys[0]',
      'the first key signs, and there is no private key.',
      'Put a private key first; public keys after it are published only.',
    )
  }
  return {
    published,
    algorithms: [...new Set(published.filter(({ signer }) => signer).map(({ alg }) => alg))],
    signer: (alg) => published.find((key) => key.signer && (alg === undefined || key.alg === alg))?.signer,
    byId: (kid) => (typeof kid === 'string' ? byId.get(kid) : undefined),
  }
}

function parseKey(input: SigningKeyInput, option: string): SigningKey {
  if (isSigner(input)) return parseSigner(input, option)
  const { material, alg: givenAlg, kid: givenKid } = unwrap(input)
  const key = parseMaterial(material, option)
  const publicKey = key.type === 'private' ? createPublicKey(key) : key
  const alg = checkAlgorithm(key, givenAlg, option)
  const bare = publicKey.export({ format: 'jwk' })
  const kid = givenKid ?? thumbprint(bare)
  if (typeof kid !== 'string')
    throw new ConfigError(
      'bad_kid',
      `${option}.kid`,
      'is not a string.',
      'Leave it out for the thumbprint of the key.',
    )
  const publicJwk = publicOnly(bare, { alg, kid })
  return {
    alg,
    kid,
    publicJwk,
    publicKey,
    signer: key.type === 'private' ? createSigner(key, alg, kid, publicJwk) : undefined,
  }
}

function createSigner(key: KeyObject, alg: SigningAlgorithm, kid: string, publicJwk: JsonWebKey): Signer {
  return { alg, kid, publicJwk, sign: createSign(key, alg, kid) }
}

function parseSigner(signer: Signer, option: string): SigningKey {
  const { alg, kid, publicJwk } = signer
  if (
    typeof alg !== 'string' ||
    typeof kid !== 'string' ||
    typeof publicJwk !== 'object' ||
    publicJwk === null
  ) {
    throw new ConfigError(
      'bad_signer',
      option,
      'lacks alg, kid or publicJwk.',
      'Give { alg, kid, publicJwk, sign }.',
    )
  }
  const publicKey = publicKeyOf(publicJwk, option)
  checkAlgorithm(publicKey, alg, option)
  return { alg, kid, publicJwk: publicOnly(publicJwk, signer), publicKey, signer: distrust(signer) }
}

/** RFC 7515 §7.1. */
const JWS = /^[\w-]+\.[\w-]+\.[\w-]+$/

/** What a signer of the host's makes is looked at before it is sent. */
function distrust(signer: Signer): Signer {
  const { alg, kid, publicJwk } = signer
  return {
    alg,
    kid,
    publicJwk,
    async sign(typ, claims) {
      const jws = await signer.sign(typ, claims)
      if (typeof jws !== 'string' || !JWS.test(jws))
        throw new TypeError('The signer did not return a compact JWS.')
      return jws
    },
  }
}

function isSigner(input: SigningKeyInput): input is Signer {
  return typeof input === 'object' && 'sign' in input && typeof input.sign === 'function'
}

function unwrap(input: Exclude<SigningKeyInput, Signer>): {
  material: string | JsonWebKey | KeyObject
  alg: string | undefined
  kid: string | undefined
} {
  if (typeof input === 'string' || input instanceof KeyObject)
    return { material: input, alg: undefined, kid: undefined }
  const outer = input as { key?: string | JsonWebKey | KeyObject; alg?: string; kid?: string }
  const inner = outer.key ?? (input as JsonWebKey)
  const jwk =
    typeof inner === 'string' || inner instanceof KeyObject ? {} : (inner as { alg?: string; kid?: string })
  return { material: inner, alg: outer.alg ?? jwk.alg, kid: outer.kid ?? jwk.kid }
}

function parseMaterial(material: string | JsonWebKey | KeyObject, option: string): KeyObject {
  try {
    if (material instanceof KeyObject) return material
    if (typeof material === 'string') {
      return /PRIVATE KEY-----/.test(material) ? createPrivateKey(material) : createPublicKey(material)
    }
    return 'd' in material
      ? createPrivateKey({ key: material, format: 'jwk' })
      : createPublicKey({ key: material, format: 'jwk' })
  } catch {
    // Not the cause: an error of the key parser may quote what it read.
    throw new ConfigError(
      'unreadable_key',
      option,
      'is not a key that Node can read.',
      'Give an unencrypted PEM, a JWK or a KeyObject of an RSA or EC key, for example from: openssl ecparam -name prime256v1 -genkey -noout.',
    )
  }
}

const MIN_RSA_BITS = 2048

const CURVES: Record<string, SigningAlgorithm> = {
  prime256v1: 'ES256',
  secp384r1: 'ES384',
  secp521r1: 'ES512',
}

function checkAlgorithm(key: KeyObject, given: string | undefined, option: string): SigningAlgorithm {
  const possible = algorithmsOf(key)
  if (possible.length === 0) throw unusable(key, option)
  if (given === undefined) return possible[0] as SigningAlgorithm
  if ((possible as readonly string[]).includes(given)) return given as SigningAlgorithm
  throw new ConfigError(
    'wrong_algorithm',
    `${option}.alg`,
    `this key cannot make "${given}".`,
    `Leave it out, or use one of ${possible.join(', ')}.`,
  )
}

const RSA: readonly SigningAlgorithm[] = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']

/** All that are known here. */
export const ALGORITHMS: readonly SigningAlgorithm[] = [...RSA, ...Object.values(CURVES)]

/** What this key can make, the usual one first; nothing where it is too weak (RFC 7518 §3.3) or of another kind. */
export function algorithmsOf({
  asymmetricKeyType: type,
  asymmetricKeyDetails: details,
}: KeyObject): readonly SigningAlgorithm[] {
  if (type === 'rsa') return (details?.modulusLength ?? 0) < MIN_RSA_BITS ? [] : RSA
  const alg = type === 'ec' ? CURVES[details?.namedCurve ?? ''] : undefined
  return alg ? [alg] : []
}

function unusable(key: KeyObject, option: string): ConfigError {
  if (key.asymmetricKeyType === 'rsa') {
    return new ConfigError(
      'weak_key',
      option,
      `an RSA key of ${key.asymmetricKeyDetails?.modulusLength} bits is too short.`,
      `Use ${MIN_RSA_BITS} bits or more (RFC 7518 §3.3).`,
    )
  }
  return new ConfigError(
    'unsupported_key',
    option,
    `this kind of key cannot both sign and be published here (${key.asymmetricKeyType ?? key.type}).`,
    'Use RSA (2048 bits or more) or EC on P-256, P-384 or P-521.',
  )
}

function publicKeyOf(jwk: JsonWebKey, option: string): KeyObject {
  try {
    return createPublicKey({ key: jwk, format: 'jwk' })
  } catch {
    throw new ConfigError(
      'unreadable_key',
      `${option}.publicJwk`,
      'is not a public key.',
      'Give the public key as a JWK.',
    )
  }
}

/** Members are named one by one: nothing private can slip into what is published. */
function publicOnly(
  { kty, crv, x, y, n, e }: JsonWebKey,
  { alg, kid }: { alg: string; kid: string },
): JsonWebKey {
  const members = { kty, crv, x, y, n, e, use: 'sig', alg, kid }
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))
}

/** RFC 7638 §3: the hash over the required members in alphabetical order. */
function thumbprint({ crv, e, kty, n, x, y }: JsonWebKey): string {
  const members = kty === 'RSA' ? { e, kty, n } : { crv, kty, x, y }
  return hash('sha256', JSON.stringify(members), 'base64url')
}
