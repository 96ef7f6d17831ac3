// Grants in Redis: standalone, Sentinel or Cluster. One value for each grant and one index for each subject, both of
// which expire by themselves; what is done to them is in redis-scripts.ts.
import { hash } from 'node:crypto'
import { badOptions } from './redis-client'
import { connectRedis, type RedisConnectionOptions } from './redis-connection'
import {
  type GrantFilter,
  type GrantKey,
  type GrantMove,
  type GrantPage,
  type GrantRecord,
  MAX_GRANTS_PER_CLIENT,
  type Page,
  type StoredGrant,
  type TokenStore,
} from './token-store'

/** Which Redis, and how its keys are named. */
export interface RedisStoreOptions {
  /** Such as `rediss://user:password@redis.example.com:6380/0`. Default: `redis://127.0.0.1:6379`. */
  readonly url?: RedisConnectionOptions['url']
  /** Options of ioredis for the connections that are opened here. With `sentinels` and `name`, they say where to. */
  readonly options?: RedisConnectionOptions['options']
  /** A cluster: some of its `nodes`, and options of ioredis for it. */
  readonly cluster?: RedisConnectionOptions['cluster']
  /** A client of your own, from ioredis: `Redis` or `Cluster`. It is never closed here. */
  readonly client?: RedisConnectionOptions['client']
  /**
   * Redeeming a code and revoking are done only when so many replicas have it. Unconfirmed in time, the call rejects. A
   * move that is no redemption does not wait: if it is lost, the client's next refresh makes up for it.
   */
  readonly waitForReplicas?: RedisConnectionOptions['waitForReplicas']
  /** What all keys begin with. Default: `oauth:`. */
  readonly prefix?: string | undefined
  /** Told once when this Redis may drop grants on its own. Default: a warning of the process. */
  readonly onWarning?: RedisConnectionOptions['onWarning']
}

/** What the script `find` answers with. Times are ages in milliseconds. */
type FoundRecord = [
  link: number,
  age: number,
  idle: number,
  superseded: number[],
  subject: string,
  client: string,
  data: string,
  inserted: number,
]
const INSERTED = 7

/** A grant, and when it was inserted by the clock of the server, in milliseconds. */
interface DatedGrant {
  readonly grant: StoredGrant
  readonly inserted: number
}

/**
 * Keeps grants in Redis 6.2 or later.
 *
 * @example
 * const oauth = createTokenRouter({ store: redisStore({ url: 'redis://127.0.0.1:6379' }), ... })
 */
export function redisStore({ prefix = 'oauth:', ...options }: RedisStoreOptions = {}): TokenStore {
  refuseEmptyTag(prefix, options)
  const redis = connectRedis(options)

  // The partition in braces decides the slot on a cluster: a subject's grants and their index share one.
  const grantName = (key: GrantKey) => `${prefix}{${partitionOf(key)}}${idOf(key)}`
  const indexName = (subject: string) => `${prefix}{${partitionOf(subject)}}s${idOf(subject)}`
  const unusedName = (name: GrantKey | string) => `${prefix}{${partitionOf(name)}}w`
  const shortLivedName = (key: string) => `${prefix}k:${key}`

  async function find(key: GrantKey): Promise<StoredGrant | undefined> {
    const found = (await redis.run('find', grantName(key), 0)) as FoundRecord | null
    return found ? describe(key, found) : undefined
  }

  async function findOneOfMany(key: GrantKey): Promise<DatedGrant | undefined> {
    const found = (await redis.run('find', grantName(key), 1)) as FoundRecord | [] | null
    if (!found) return undefined
    if (found.length === 0) return { grant: unreadable(key), inserted: 0 }
    return { grant: describe(key, found), inserted: Number(found[INSERTED]) }
  }

  async function remove(key: GrantKey, subject: string, member: string): Promise<boolean> {
    const removed = isOne(await redis.runSafely('revoke', grantName(key), indexName(subject), member))
    if (!removed) await redis.settle(unusedName(key))
    return removed
  }

  /** The index remembers grants a little longer than they live: what is gone is dropped from it here. */
  async function findMembers(subject: string, members: readonly string[]): Promise<DatedGrant[]> {
    const found = await Promise.all(members.map((member) => findOneOfMany(keyOf(subject, member))))
    const gone = members.filter((_, i) => !found[i])
    if (gone.length > 0) await redis.run('forget', indexName(subject), ...gone)
    return found.filter((one) => one !== undefined)
  }

  /** A page of the index. It begins behind a score and a member, a place that stays when what is before it goes. */
  async function membersOf(
    subject: string,
    limit: number,
    after?: string,
  ): Promise<{ members: string[]; next: string | undefined }> {
    const [from, last] = placeOf(after) ?? []
    if (from === undefined || last === undefined) return { members: [], next: undefined }
    const flat = (await redis.run('page', indexName(subject), from, limit + 1)) as string[]
    const rest = Array.from({ length: flat.length / 2 }, (_, i) => ({
      member: flat[2 * i] as string,
      score: flat[2 * i + 1] as string,
    })).filter(({ member, score }) => score !== from || member > last)
    const page = rest.slice(0, limit)
    const end = page.at(-1)
    return {
      members: page.map(({ member }) => member),
      next: end && rest.length > limit ? `${end.score}.${end.member}` : undefined,
    }
  }

  /** Those of the members that are for one client. Tags are short and may be shared, so the grants are asked. */
  async function membersFor(subject: string, client: string, members: readonly string[]): Promise<string[]> {
    const tagged = members.filter((member) => member.endsWith(tagOf(client)))
    const found = await findMembers(subject, tagged)
    return found
      .filter(({ grant }) => grant.client === client)
      .map(({ grant }) => memberOf(grant.key, client))
  }

  /**
   * The index cannot tell which of a client's grants is the oldest. To have so many is rare enough to read them. Who
   * makes room at the same time sees the same order, except what came later, and so drops the same grants or fewer.
   */
  async function makeRoom({ key, subject, client }: GrantRecord, members: readonly string[]): Promise<void> {
    const others = (await findMembers(subject, members)).filter(
      ({ grant }) => grant.client === client && grant.key !== key,
    )
    const tooMany = others.sort(byUse).slice(0, Math.max(0, others.length + 1 - MAX_GRANTS_PER_CLIENT))
    const drop = ({ key, link }: StoredGrant) =>
      redis.run('crowdOut', grantName(key), indexName(subject), memberOf(key, client), link)
    await Promise.all(tooMany.map(({ grant }) => drop(grant)))
  }

  return {
    find,

    async insert(grant: GrantRecord): Promise<void> {
      const { key, subject, client, data, link, expiresIn, endsIn } = grant
      const crowd = await redis.run(
        'insert',
        grantName(key),
        indexName(subject),
        link,
        milliseconds(expiresIn),
        milliseconds(endsIn),
        idOf(subject),
        client,
        data,
        memberOf(key, client),
        tagOf(client),
        MAX_GRANTS_PER_CLIENT,
      )
      if ((crowd as string[]).length > 0) await makeRoom(grant, crowd as string[])
    },

    async advance(key: GrantKey, from: number, { op, to, expiresIn }: GrantMove): Promise<boolean> {
      // A chain that has left link 0 can be made up for by what its holder has. Link 0 could be spent a second time.
      const run = from === 0 ? redis.runSafely : redis.run
      return isOne(await run('advance', grantName(key), from, to, op, milliseconds(expiresIn)))
    },

    async revoke(key: GrantKey): Promise<boolean> {
      const found = await find(key)
      if (found) return remove(key, found.subject, memberOf(key, found.client))
      await redis.settle(unusedName(key))
      return false
    },

    async list(subject: string, { limit = 100, after }: Page = {}): Promise<GrantPage> {
      const page = await membersOf(subject, limit, after)
      const found = await findMembers(subject, page.members)
      return { grants: found.map(({ grant }) => grant), next: page.next }
    },

    async revokeAll(subject: string, { client }: GrantFilter = {}): Promise<number> {
      let count = 0
      let after: string | undefined
      do {
        const page = await membersOf(subject, 100, after)
        const members = client === undefined ? page.members : await membersFor(subject, client, page.members)
        const removed = await Promise.all(
          members.map((member) => remove(keyOf(subject, member), subject, member)),
        )
        count += removed.filter(Boolean).length
        after = page.next
      } while (after !== undefined)
      if (count === 0) await redis.settle(unusedName(subject))
      return count
    },

    async put(key: string, value: string, ttl: number): Promise<boolean> {
      return isOne(await redis.run('put', shortLivedName(key), value, milliseconds(ttl)))
    },

    async get(key: string): Promise<string | undefined> {
      return ((await redis.run('get', shortLivedName(key))) as string | null) ?? undefined
    },

    async take(key: string): Promise<string | undefined> {
      return ((await redis.run('take', shortLivedName(key))) as string | null) ?? undefined
    },

    close: () => redis.close(),
  }
}

/** The first braces of a name decide its slot; where nothing is in them, the whole name does. */
function refuseEmptyTag(prefix: string, { client, cluster, options }: RedisConnectionOptions): void {
  const keyPrefix = client?.options?.keyPrefix ?? cluster?.keyPrefix ?? options?.keyPrefix ?? ''
  if (!/^[^{]*\{\}/.test(keyPrefix + prefix)) return
  throw badOptions('prefix', 'begins names with {}.', 'Leave the braces out, in `keyPrefix` as well.')
}

function describe(key: GrantKey, found: FoundRecord): StoredGrant {
  const [link, age, idle, superseded, subjectId, client, data] = found
  return {
    key,
    subject: `${partitionOf(key)}.${subjectId}`,
    client,
    data,
    link: Number(link),
    age: seconds(age),
    idle: seconds(idle),
    superseded: superseded.map(seconds),
  }
}

/** Says nothing, which the caller finds out and tells. It must not hide the other grants of its user. */
function unreadable(key: GrantKey): StoredGrant {
  return { key, subject: '', client: '', data: '', link: 1, age: 0, idle: 0, superseded: [] }
}

/** Those never redeemed before those in use, the oldest first; where two came in one millisecond, always the same. */
function byUse(a: DatedGrant, b: DatedGrant): number {
  const inUse = ({ grant }: DatedGrant) => Math.min(grant.link, 1)
  return inUse(a) - inUse(b) || a.inserted - b.inserted || (a.grant.key < b.grant.key ? -1 : 1)
}

/** Where a page begins: a score, and a member that has it. */
function placeOf(after: string | undefined): string[] | undefined {
  if (after === undefined) return ['0', '']
  return /^\d{1,15}\.[\w-]+$/.test(after) ? after.split('.') : undefined
}

/** A member of an index: a grant's id and a tag of its client, which narrows down what is to be read. */
function memberOf(key: GrantKey, client: string): string {
  return idOf(key) + tagOf(client)
}

const TAG_LENGTH = 1

function tagOf(client: string): string {
  return hash('sha256', client, 'base64url').slice(0, TAG_LENGTH)
}

function keyOf(subject: string, member: string): GrantKey {
  return `${partitionOf(subject)}.${member.slice(0, -TAG_LENGTH)}`
}

// Names of grants and subjects are `partition.id`.
function partitionOf(name: string): string {
  return name.slice(0, 4)
}

function idOf(name: string): string {
  return name.slice(5)
}

/** Redis counts its milliseconds in whole numbers, from one on. */
function milliseconds(seconds: number): number {
  return Math.max(1, Math.round(seconds * 1000))
}

// A client of the host's may be set to give numbers as strings.
function seconds(age: number | string): number {
  return Number(age) / 1000
}

function isOne(reply: unknown): boolean {
  return Number(reply) === 1
}
