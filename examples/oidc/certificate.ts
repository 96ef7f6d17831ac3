// A certificate for https, made at each start and signed by itself: browsers ask once whether to trust it. A real server
// has one that they trust already.
import { isIP } from 'node:net'
import { generate } from 'selfsigned'
import { hostname } from './settings'

const DAY_MS = 24 * 60 * 60 * 1000

export async function makeCertificate(): Promise<{ key: string; cert: string }> {
  // An IPv6 address stands in brackets in a URL.
  const names = new Set([hostname.replace(/^\[|\]$/g, ''), 'localhost', '127.0.0.1', '::1'])
  const made = await generate([{ name: 'commonName', value: hostname }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notBeforeDate: new Date(Date.now() - DAY_MS), // for whom the clock is behind
    notAfterDate: new Date(Date.now() + 30 * DAY_MS),
    extensions: [
      { name: 'basicConstraints', cA: false },
      { name: 'keyUsage', digitalSignature: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [...names].map((name) => (isIP(name) ? { type: 7, ip: name } : { type: 2, value: name })),
      },
    ],
  })
  return { key: made.private, cert: made.cert }
}
