// An OpenID provider over https, on a host with users, login, account chooser and consent of its own, none of which needs
// JavaScript. Start it by `npm run example:oidc`.
import { createServer } from 'node:https'
import { join } from 'node:path'
import express, { type ErrorRequestHandler } from 'express'
import { createTokenRouter, memoryStore } from 'express-token-endpoint'
import { sqliteStore } from 'express-token-endpoint/sqlite'
import { closeOnSignal } from '../quickstart/close-on-signal'
import { createEventLog } from '../quickstart/event-log'
import { authorize } from './authorize'
import { makeCertificate } from './certificate'
import { readClients } from './clients'
import { loginRoutes } from './login-routes'
import { logout } from './logout'
import { homePage } from './pages/home'
import { sendPage } from './pages/layout'
import { messagePage } from './pages/message'
import { csrfToken, sessions, signedIn } from './sessions'
import * as settings from './settings'
import { userById } from './users'

const { issuer } = settings

const oauth = createTokenRouter({
  issuer,
  secret: settings.secret,
  signingKeys: settings.signingKeys,
  store: settings.redisUrl ?? (settings.dataFile ? sqliteStore({ file: settings.dataFile }) : memoryStore()),
  clients: readClients(settings.clientsFile),
  scopes: ['openid', 'profile', 'email', 'address', 'phone', 'offline_access'],
  resources: ['https://api.example.com/mail', 'https://api.example.com/calendar'],
  // OpenID Connect Core knows no PKCE, and its certification sends none. For clients of your own leave this out.
  pkce: 'optional',
  codeReplaySeconds: settings.codeReplaySeconds,
  onEvent: createEventLog(process.stdout.isTTY),
  authorize,
  logout,
  findAccount(subject) {
    const user = userById(subject)
    // All that is known. The library releases what the granted scope stands for, and what was asked for by name.
    return user && { claims: user.claims }
  },
  errorPage(error, _req, res) {
    const [title, advice] =
      error.status < 500
        ? ['This cannot go on', 'The app that sent you here made a mistake. Tell its makers what follows.']
        : ['This does not work at the moment', 'Go back, and try again in a moment.']
    sendPage(res, messagePage(title, advice, error), error.status)
  },
})

const app = express()
app.disable('x-powered-by')
app.use('/assets', express.static(join(__dirname, 'public')))
app.use(sessions) // before the router, whose `authorize` asks who is signed in
app.use(new URL(issuer).pathname, oauth)
app.use(oauth.wellKnown)
app.use(loginRoutes)

app.get('/', (req, res) => {
  const discovery = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  sendPage(res, homePage(signedIn(req), discovery, csrfToken(req)))
})

app.use((_req, res) => {
  sendPage(res, messagePage('Nothing here', 'There is no page at that address.'), 404)
})

app.use(((error, _req, res, next) => {
  if (res.headersSent) return next(error)
  console.error(error)
  const text = 'It is not you, most likely. Try again in a moment.'
  sendPage(res, messagePage('That did not work', text), error.status ?? 500)
}) satisfies ErrorRequestHandler)

async function listen(): Promise<void> {
  const server = createServer(await makeCertificate(), app)
  server.once('error', (error) => {
    console.error(`Cannot listen: ${error.message}. On another port: PORT=3001 npm run example:oidc`)
    process.exit(1)
  })
  server.listen(settings.port, settings.host, () => {
    console.log(`
  Issuer   ${issuer}
  Clients  from ${settings.clientsFile}
  Users    alice, password wonderland; bob, password builder
  https    with a certificate that was made now, which browsers ask about
`)
    console.log(`ready ${settings.origin}`)
  })
  closeOnSignal(server, oauth)
}

void listen()
