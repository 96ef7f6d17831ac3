// Makes compact JWSs (RFC 7515 §7.1) with a key of this process.
import { constants, type KeyObject, sign } from 'node:crypto'
import { promisify } from 'node:util'
import { derToJose } from 'ecdsa-sig-formatter'
import type { Signer, SigningAlgorithm } from './signer'

/** Signs by RFC 7518 §3.3 to §3.5. */
export function createSign(key: KeyObject, alg: SigningAlgorithm, kid: string): Signer['sign'] {
  const hash = `sha${alg.slice(2)}`
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')
  // There are as many as there are kinds of tokens.
  const headers = new Map<string, string>()
  const headerOf = (typ: string) => {
    const header = headers.get(typ) ?? encode({ alg, typ, kid })
    headers.set(typ, header)
    return header
  }
  const inputOf = (typ: string, claims: object) => `${headerOf(typ)}.${encode(claims)}`

  if (alg.startsWith('ES')) {
    // Here and now: it takes less time than it would to hand the work over. The key goes in bare, and its signature comes
    // out as DER, since Node 24 takes three times as long when it is told of another encoding.
    return (typ, claims) => {
      const input = inputOf(typ, claims)
      return `${input}.${derToJose(sign(hash, Buffer.from(input), key), alg)}`
    }
  }

  // RSA takes ten times as long: on a thread of libuv, so that other requests go on.
  const signOnThread = promisify(sign)
  const how = alg.startsWith('PS')
    ? { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
    : key
  return async (typ, claims) => {
    const input = inputOf(typ, claims)
    const signature = await signOnThread(hash, Buffer.from(input), how)
    return `${input}.${signature.toString('base64url')}`
  }
}
