// This library under node:http alone: the same router, the same checks, without Express around it.
import { startRouter } from './router.js'

/** @param {import('../scenarios.js').ServerOptions} options */
export async function start(options) {
  const { oauth, issueCode, fill } = await startRouter(options)
  return { listener: (req, res) => oauth(req, res), path: '/oauth/token', issueCode, fill }
}
