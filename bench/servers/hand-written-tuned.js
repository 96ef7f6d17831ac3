// The hand-written endpoint by somebody who has profiled it: the commands of one turn of the event loop in one write, no
// jsonwebtoken, no ETag.
import { openGrantStore } from './grant-store.js'
import { serve } from './hand-written.js'
import { rawSign } from './raw-sign.js'

/** @param {import('../scenarios.js').ServerOptions} options */
export async function start(options) {
  const store = openGrantStore(options.redisUrl, options.clientId, { enableAutoPipelining: true })
  return serve(options, { store, sign: rawSign(options), settings: { etag: false, 'x-powered-by': false } })
}
