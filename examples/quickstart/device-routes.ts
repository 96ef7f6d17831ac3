// The page of signed-in devices: a user's grants, by `oauth.grants`.
import { Router } from 'express'
import type { TokenRouter } from 'express-token-endpoint'
import { clientName } from './clients'
import { field, ownForm } from './forms'
import { devicesPage } from './pages/devices'
import { sendPage } from './pages/layout'
import { loginPath } from './paths'
import { csrfToken, signedIn } from './sessions'

const NOTICES: Readonly<Record<string, string>> = {
  one: 'Ended. The app is refused at its next refresh.',
  all: 'All ended. Each app is refused at its next refresh.',
}

export function deviceRoutes(oauth: TokenRouter): Router {
  const router = Router()

  router.get('/devices', async (req, res) => {
    const login = signedIn(req)
    if (!login) return res.redirect(303, loginPath(req.originalUrl))
    const { after, ended } = req.query
    const { grants, next } = await oauth.grants.list(
      login.user.id,
      typeof after === 'string' ? { after } : {},
    )
    const body = devicesPage({
      csrf: csrfToken(req),
      devices: grants.map((grant) => ({
        ...grant,
        label: grant.label ?? 'Unknown device',
        clientName: clientName(grant.clientId),
      })),
      next,
      notice: typeof ended === 'string' ? NOTICES[ended] : undefined,
    })
    const account = { name: login.user.name, csrf: csrfToken(req) }
    sendPage(res, { title: 'Devices', body, here: 'devices', account })
  })

  router.post(
    '/devices/end',
    ownForm(async (user, req) => {
      await oauth.grants.revoke(user.id, field(req, 'id')) // only if it is this user's own
      return '/devices?ended=one'
    }),
  )

  router.post(
    '/devices/end-all',
    ownForm(async (user) => {
      await oauth.grants.revokeAll(user.id)
      return '/devices?ended=all'
    }),
  )

  return router
}
