// The `claims` parameter (OpenID Connect Core §5.5): which single claims a client asks for, and about whom.

export interface RequestedClaims {
  /** Names of the claims that are wanted from the userinfo endpoint, and in the ID token. */
  readonly userinfo: readonly string[]
  readonly idToken: readonly string[]
  /** The request is about one of these users. */
  readonly subjects: readonly string[] | undefined
  /** One of these is a must (§5.5.1.1). */
  readonly essentialAcr: readonly string[] | undefined
}

/** `undefined` when it is not what §5.5 says. Members that are not understood are ignored, as it says. */
export function parseClaims(text: string): RequestedClaims | undefined {
  const all = objectOf(parse(text))
  if (!all) return undefined
  const userinfo = objectOf(all.userinfo ?? {})
  const idToken = objectOf(all.id_token ?? {})
  if (!userinfo || !idToken) return undefined
  const requests = [...Object.values(userinfo), ...Object.values(idToken)]
  if (!requests.every((request) => request === null || objectOf(request))) return undefined

  const subjects = [userinfo.sub, idToken.sub].flatMap(valuesOf)
  const acr = objectOf(idToken.acr)
  return {
    userinfo: Object.keys(userinfo),
    idToken: Object.keys(idToken),
    subjects: subjects.length > 0 ? subjects : undefined,
    essentialAcr: acr?.essential === true && valuesOf(acr).length > 0 ? valuesOf(acr) : undefined,
  }
}

function valuesOf(request: unknown): string[] {
  const { value, values } = objectOf(request) ?? {}
  const all = Array.isArray(values) ? values : [value]
  return all.filter((one) => typeof one === 'string')
}

function objectOf(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
