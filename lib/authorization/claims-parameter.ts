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

  const [subject, other] = [valuesOf(userinfo.sub), valuesOf(idToken.sub)]
  const acr = objectOf(idToken.acr)
  const classes = valuesOf(acr)
  if (subject === 'malformed' || other === 'malformed' || classes === 'malformed') return undefined
  return {
    userinfo: Object.keys(userinfo),
    idToken: Object.keys(idToken),
    subjects: subject && other ? subject.filter((one) => other.includes(one)) : (subject ?? other),
    essentialAcr: acr?.essential === true ? classes : undefined,
  }
}

/** The values of which the claim must have one (§5.5.1). */
function valuesOf(request: unknown): readonly string[] | 'malformed' | undefined {
  const { value, values = value === undefined ? undefined : [value] } = objectOf(request) ?? {}
  if (values === undefined) return undefined
  if (!Array.isArray(values) || !values.every((one) => typeof one === 'string')) return 'malformed'
  return value === undefined ? values : values.filter((one) => one === value)
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
