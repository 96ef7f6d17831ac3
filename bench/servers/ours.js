// This library as its users run it: the package that is published, mounted in Express 5, with every check on.
import express from 'express'
import { startRouter } from './router.js'

/** @param {import('../scenarios.js').ServerOptions} options */
export async function start(options) {
  const { oauth, issueCode, fill } = await startRouter(options)
  const app = express()
  app.use('/oauth', oauth)
  app.use(oauth.wellKnown)
  return { listener: app, path: '/oauth/token', issueCode, fill }
}
