// Resource indicators (RFC 8707): for which APIs an access token is.
import type { Client } from '../clients/client'
import { OAuthError } from '../errors'
import type { OnEvent } from '../events'
import { askHost } from '../host'

/** Which APIs clients may name beside the option `audience`: a list, or a function that is asked for each. */
export type Resources = readonly string[] | ((resource: string, client: Client) => boolean | Promise<boolean>)

/** The APIs that a client names, as the host spells them; `undefined` when it may not name one of them. */
export type AllowResources = (
  asked: readonly string[],
  client: Client,
) => Promise<readonly string[] | undefined>

/** More no client needs, and each may cost a question to the host. */
const MOST = 20

export function createAllowResources(audience: string, resources: Resources, emit: OnEvent): AllowResources {
  const isFunction = typeof resources === 'function'
  const listed = [audience, ...(isFunction ? [] : resources)]

  return async (asked, client) => {
    if (asked.length > MOST) return undefined
    const allowed = new Set<string>()
    for (const resource of asked) {
      if (!isResource(resource)) return undefined
      const known = listed.find((one) => isSame(one, resource))
      if (known === undefined && !(await isAllowed(resource, client))) return undefined
      allowed.add(known ?? resource)
    }
    return [...allowed]
  }

  async function isAllowed(resource: string, client: Client): Promise<boolean> {
    return isFunction && (await askHost('resources', emit, () => resources(resource, client))) === true
  }
}

/** `aud` of an access token: all that was granted, or the part of it that a token request asks for (RFC 8707 §2.2). */
export type Audience = string | readonly string[]

/** @throws {OAuthError} `invalid_target` when more is asked for than was granted. */
export function narrowAudience(granted: readonly string[], asked: readonly string[]): Audience {
  const tooMany = asked.length > MOST
  if (tooMany || !asked.every((resource) => granted.some((one) => isSame(one, resource)))) {
    throw new OAuthError('invalid_target', 'The resource was not granted.', {
      reason: 'wider_resource',
      guess: false,
    })
  }
  const chosen = granted.filter(
    (one) => asked.length === 0 || asked.some((resource) => isSame(one, resource)),
  )
  return chosen.length === 1 ? (chosen[0] as string) : chosen
}

/** RFC 8707 §2: an absolute URI without a fragment. */
export function isResource(text: unknown): text is string {
  return (
    typeof text === 'string' && /^[a-z][a-z0-9+.-]*:[\x21\x22\x24-\x7E]+$/i.test(text) && URL.canParse(text)
  )
}

/** As URLs: with or without the slash behind a host it is one API. */
function isSame(known: string, asked: string): boolean {
  if (!isResource(asked) || !isResource(known)) return false
  return known === asked || new URL(known).href === new URL(asked).href
}
