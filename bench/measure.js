// Small things that all measurements need.
import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'

/** This process, which makes the load, and its children that are not pinned elsewhere, run on the second core. */
export function pinToLoadCore() {
  execFileSync('taskset', ['-a', '-p', '-c', '1', `${process.pid}`], { stdio: 'ignore' })
}

export function generateKey(alg) {
  const { privateKey, publicKey } =
    alg === 'ES256'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : generateKeyPairSync('rsa', { modulusLength: 2048 })
  return { pem: privateKey.export({ type: 'pkcs8', format: 'pem' }), publicKey }
}

export function percentile(values, share) {
  const sorted = Float64Array.from(values.filter(Number.isFinite)).sort()
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]
}
