// An Express app with users of its own that is an OAuth 2.0 / OpenID Connect server as well. Start it by `npm start`.
import { join } from 'node:path'
import express, { type ErrorRequestHandler } from 'express'
import { type AccessToken, createTokenRouter, memoryStore } from 'express-token-endpoint'
import { sqliteStore } from 'express-token-endpoint/sqlite'
import { authorize } from './authorize'
import { clients, pageRedirectUri } from './clients'
import { closeOnSignal } from './close-on-signal'
import { deviceRoutes } from './device-routes'
import { createEventLog } from './event-log'
import { loginRoutes } from './login-routes'
import { homePage } from './pages/home'
import { securityHeaders, sendPage } from './pages/layout'
import { messagePage } from './pages/message'
import { csrfToken, sessions, signedIn } from './sessions'
import * as settings from './settings'
import { userById } from './users'

const refreshIdleSeconds = 30 * 24 * 60 * 60 // the default; the page counts it down

const oauth = createTokenRouter({
  issuer: settings.issuer,
  secret: settings.secret,
  signingKeys: [settings.signingKey],
  store: settings.redisUrl ?? (settings.dataFile ? sqliteStore({ file: settings.dataFile }) : memoryStore()),
  clients,
  scopes: ['openid', 'offline_access', 'profile'],
  overlap: settings.overlap,
  lifetimes: { refreshIdleSeconds },
  rateLimit: settings.limitRequests ? undefined : false,
  onEvent: createEventLog(process.stdout.isTTY),
  authorize,
  // Asked each time tokens are issued: a user who is gone gets none, and claims are as fresh as the tokens.
  findAccount(subject, { scope }) {
    const user = userById(subject)
    return user && { idTokenClaims: scope.includes('profile') ? { name: user.name } : {} }
  },
})

const app = express()
app.disable('x-powered-by')
app.use(securityHeaders)
app.use('/assets', express.static(join(__dirname, 'public')))
app.get('/vendor/oauth4webapi.js', (_req, res) => res.sendFile(require.resolve('oauth4webapi')))

app.use(sessions) // before the router, whose `authorize` asks who is signed in
app.use('/oauth', oauth)
app.use(oauth.wellKnown)

// `checkGrant` asks the store each time, so that a revocation shows at once and not when the token expires.
app.get('/api/me', oauth.requireAccessToken({ scope: 'profile', checkGrant: true }), (req, res) => {
  const { subject, clientId, scope } = req.accessToken as AccessToken
  res.json({ id: subject, name: userById(subject)?.name, askedBy: clientId, scope: scope.join(' ') })
})

app.use(loginRoutes)
app.use(deviceRoutes(oauth))

app.get(['/', new URL(pageRedirectUri).pathname], (req, res) => {
  const login = signedIn(req)
  const body = homePage({
    issuer: settings.issuer,
    clientId: 'spa',
    redirectUri: pageRedirectUri,
    scope: 'openid offline_access profile',
    refreshIdleSeconds,
    host: login && { userName: login.user.name, csrf: csrfToken(req) },
  })
  sendPage(res, { title: 'Tokens', body, here: 'page', script: '/assets/app.mjs' })
})

app.use((_req, res) => {
  const body = messagePage('Nothing here', 'This app has no page at that address.')
  sendPage(res, { title: 'Not found', body, narrow: true }, 404)
})

app.use(((error, _req, res, next) => {
  if (res.headersSent) return next(error)
  console.error(error)
  const body = messagePage('That did not work', 'It is not you, most likely. Try again in a moment.')
  sendPage(res, { title: 'Not done', body, narrow: true }, error.status ?? 500)
}) satisfies ErrorRequestHandler)

const server = app.listen(settings.port, settings.host, (error) => {
  if (error) {
    console.error(`Cannot listen: ${error.message}. On another port: PORT=3001 npm start`)
    process.exit(1)
  }
  const { origin, redisUrl, dataFile, madeAtStart } = settings
  const kept = redisUrl ? 'Redis, by REDIS_URL' : dataFile && `SQLite, in ${dataFile}, by DATA_FILE`
  console.log(`
  Open   ${origin}          to sign in as alice, password wonderland
         ${origin}/devices  to end what she signed in
  Store  ${kept ?? 'memory: a restart forgets all. DATA_FILE=oauth.db or REDIS_URL=redis://… keeps it'}
  Keys   ${madeAtStart.length > 0 ? `made for this run: ${madeAtStart.join(', ')}` : 'from the environment'}
`)
  console.log(`ready ${origin}`)
})

closeOnSignal(server, oauth)
