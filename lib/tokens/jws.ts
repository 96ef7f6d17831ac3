// Makes compact JWSs (RFC 7515 §7.1) with a key of this process.
import { constants, type KeyObject, sign } from 'node:crypto'
import { promisify } from 'node:util'
import { derToJose } from 'ecdsa-sig-formatter'
import type { Signer, SigningAlgorithm } from './signing-keys'

export function createSign(key: KeyObject, alg: SigningAlgorithm, kid: string): Signer['sign'] {
  const signatureOf = createSignature(key, alg)
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')

  return async (typ, claims) => {
    const input = `${encode({ alg, typ, kid })}.${encode(claims)}`
    return `${input}.${await signatureOf(Buffer.from(input))}`
  }
}

/** RFC 7518 §3.3 to §3.5. */
function createSignature(key: KeyObject, alg: SigningAlgorithm): (input: Buffer) => string | Promise<string> {
  const hash = `sha${alg.slice(2)}`
  // With ECDSA here and now: it takes less time than it would to hand the work over. The key goes in bare, and its
  // signature comes out as DER, since Node 24 takes three times as long when it is told of another encoding.
  if (alg.startsWith('ES')) return (input) => derToJose(sign(hash, input, key), alg)

  // RSA takes ten times as long: on a thread of libuv, so that other requests go on.
  const signOnThread = promisify(sign)
  const padding = alg.startsWith('PS')
    ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
    : { padding: constants.RSA_PKCS1_PADDING }
  return async (input) => (await signOnThread(hash, input, { key, ...padding })).toString('base64url')
}
