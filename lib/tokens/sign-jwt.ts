// Makes a JWT with one of the server's keys. A key may live in a KMS, and may fail.
import type { OnEvent } from '../events'
import { askHost } from '../host'
import type { SigningKeys } from './signing-keys'

/**
 * The compact JWS of these claims, by the first key that signs or the first of this algorithm.
 *
 * @throws {OAuthError} 503 when the key cannot sign.
 */
export type SignJwt = (
  typ: string,
  claims: Readonly<Record<string, unknown>>,
  alg?: string,
) => Promise<string>

export function createSignJwt(keys: SigningKeys, emit: OnEvent): SignJwt {
  return (typ, claims, alg) =>
    askHost('sign', emit, () => {
      const signer = keys.signer(alg)
      if (!signer) throw new Error(`No signing key makes ${alg}.`)
      return signer.sign(typ, claims)
    })
}
