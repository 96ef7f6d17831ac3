// The suite is only worth something if it fails: each of these stores has one bug, and the rule that it breaks says so.
import { setTimeout as delay } from 'node:timers/promises'
import { memoryStore } from '../../lib/stores/memory'
import { MAX_GRANTS_PER_CLIENT, type StoredGrant, type TokenStore } from '../../lib/stores/token-store'
import { storeContract } from '../../lib/testing'

/** The rules, by title, as a runner gets them. */
function rulesFor(createStore: () => TokenStore): Map<string, () => Promise<void>> {
  const rules = new Map<string, () => Promise<void>>()
  storeContract({ createStore, test: (title, body) => rules.set(title, body) })
  return rules
}

/** What stores of two processes are: each with its own bug, on the same data. */
function sharing(broken: (store: TokenStore) => Partial<TokenStore> = () => ({})): () => TokenStore {
  const data = memoryStore()
  return () => ({ ...data, ...broken(data) })
}

type Bug = [bug: string, broken: (store: TokenStore) => Partial<TokenStore>, rule: string]

/** What is read may be stale by the time something is done about it. */
const later = () => delay(1)

const bugs: Bug[] = [
  [
    'a record comes back changed: trimmed',
    (store) => ({
      find: async (key) => change(await store.find(key), ({ data }) => ({ data: data.trim() })),
    }),
    'keeps a new grant and gives it back exactly as it came',
  ],
  [
    'a record comes back changed: normalized',
    (store) => ({ insert: (grant) => store.insert({ ...grant, data: grant.data.normalize() }) }),
    'keeps a new grant and gives it back exactly as it came',
  ],
  [
    'a record comes back changed: cut at the first NUL',
    (store) => ({ insert: (grant) => store.insert({ ...grant, client: grant.client.split('\0')[0] ?? '' }) }),
    'keeps a new grant and gives it back exactly as it came',
  ],
  [
    'a long record is cut',
    (store) => ({ insert: (grant) => store.insert({ ...grant, data: grant.data.slice(0, 4096) }) }),
    'keeps a new grant and gives it back exactly as it came',
  ],
  [
    'the chain always begins with link 0',
    (store) => ({ insert: (grant) => store.insert({ ...grant, link: 0 }) }),
    'keeps a new grant and gives it back exactly as it came',
  ],
  [
    'insert overwrites',
    (store) => ({
      async insert(grant) {
        await store.revoke(grant.key)
        await store.insert(grant)
      },
    }),
    'a key that is already there stays as it is',
  ],
  [
    'revoke always says true',
    (store) => ({ revoke: (key) => store.revoke(key).then(() => true) }),
    'what was never there is not found, moved or revoked',
  ],
  [
    'advance ignores `from`',
    (store) => ({
      advance: async (key, _from, move) => store.advance(key, (await store.find(key))?.link ?? 0, move),
    }),
    'moves the grant from link `from`, if that is still its link, and says whether it did',
  ],
  [
    'advance accepts every link up to the current one',
    (store) => ({
      async advance(key, from, move) {
        const link = (await store.find(key))?.link ?? 0
        return store.advance(key, from <= link ? link : from, move)
      },
    }),
    'moves the grant from link `from`, if that is still its link, and says whether it did',
  ],
  [
    'advance moves, and says it did not',
    (store) => ({ advance: (key, from, move) => store.advance(key, from, move).then(() => false) }),
    'moves the grant from link `from`, if that is still its link, and says whether it did',
  ],
  [
    'a move that is sent twice is refused the second time',
    (store) => ({
      advance: (key, from, move) => store.advance(key, from, { ...move, op: `${Math.random()}` }),
    }),
    'true also if this very move was the last one made; it is made once',
  ],
  [
    'a move that is sent twice counts twice',
    (store) => {
      const ops = new Set<string>()
      return {
        async advance(key, from, move) {
          const steps = ops.has(move.op) ? 1 : 0
          ops.add(move.op)
          return store.advance(key, from + steps, { ...move, to: move.to + steps, op: `${move.op} ${steps}` })
        },
      }
    },
    'true also if this very move was the last one made; it is made once',
  ],
  [
    'a move is known for ever, not only while it is the last one',
    (store) => {
      const ops = new Set<string>()
      return {
        async advance(key, from, move) {
          const moved = ops.has(move.op) || (await store.advance(key, from, move))
          if (moved) ops.add(move.op)
          return moved
        },
      }
    },
    'true also if this very move was the last one made; it is made once',
  ],
  [
    'of several links passed at once, one is superseded',
    (store) => {
      const passed = new Map<string, number>()
      return {
        async advance(key, from, move) {
          if (move.to - from > 1) passed.set(key, move.to - from - 1)
          return store.advance(key, from, move)
        },
        find: async (key) =>
          change(await store.find(key), ({ superseded }) => ({
            superseded: superseded.slice(passed.get(key) ?? 0),
          })),
      }
    },
    'each link passed is superseded now',
  ],
  [
    'from n to n supersedes a link',
    (store) => {
      const stays = new Map<string, number>()
      return {
        async advance(key, from, move) {
          if (from === move.to) stays.set(key, (stays.get(key) ?? 0) + 1)
          return store.advance(key, from, move)
        },
        find: async (key) =>
          change(await store.find(key), ({ superseded }) => ({
            superseded: [...Array(stays.get(key) ?? 0).fill(0), ...superseded].slice(0, 4),
          })),
      }
    },
    'from n to n, none is superseded',
  ],
  [
    'superseded links come oldest first',
    (store) => ({
      find: async (key) =>
        change(await store.find(key), ({ superseded }) => ({ superseded: superseded.toReversed() })),
    }),
    'remembers when the last four links were superseded, newest first',
  ],
  [
    'three superseded links are remembered',
    (store) => ({
      find: async (key) =>
        change(await store.find(key), ({ superseded }) => ({ superseded: superseded.slice(0, 3) })),
    }),
    'remembers when the last four links were superseded, newest first',
  ],
  [
    'advance checks, then acts',
    (store) => ({
      async advance(key, from, move) {
        if ((await store.find(key))?.link !== from) return false
        await later()
        return store.advance(key, (await store.find(key))?.link ?? from, move)
      },
    }),
    'of many callers that move from the same link to a later one, exactly one wins',
  ],
  [
    'of those that stay at the same link only one wins',
    (store) => {
      const busy = new Set<string>()
      return {
        async advance(key, from, move) {
          if (busy.has(key)) return false
          busy.add(key)
          await later()
          busy.delete(key)
          return store.advance(key, from, move)
        },
      }
    },
    'of many callers that stay at the same link, all win',
  ],
  [
    'revoke leaves the index',
    (store) => {
      const seen = new Map<string, StoredGrant>()
      return {
        async revoke(key) {
          const grant = await store.find(key)
          if (grant) seen.set(key, grant)
          return store.revoke(key)
        },
        async list(subject, page) {
          const { grants, next } = await store.list(subject, page)
          return {
            grants: [...grants, ...[...seen.values()].filter((grant) => grant.subject === subject)],
            next,
          }
        },
      }
    },
    'removes the grant, from the index as well; false when it was not there',
  ],
  [
    'revokeAll counts what was revoked before',
    (store) => {
      let revoked = 0
      return {
        async revoke(key) {
          const was = await store.revoke(key)
          if (was) revoked++
          return was
        },
        revokeAll: async (subject, filter) => revoked + (await store.revokeAll(subject, filter)),
      }
    },
    'removes the grant, from the index as well; false when it was not there',
  ],
  [
    'the move that was made last is true even of a revoked grant',
    (store) => {
      const ops = new Map<string, string>()
      return {
        async advance(key, from, move) {
          if (ops.get(key) === move.op) return true
          const moved = await store.advance(key, from, move)
          if (moved) ops.set(key, move.op)
          return moved
        },
      }
    },
    'nothing brings it back',
  ],
  [
    'advance writes back what it read, revoked or not',
    (store) => ({
      async advance(key, from, move) {
        const grant = await store.find(key)
        if (grant?.link !== from) return false
        await later()
        await store.insert({ ...grant, expiresIn: 60, endsIn: 60 })
        return store.advance(key, from, move)
      },
    }),
    'wins against moves that are made at the same time',
  ],
  [
    'list gives the grants of the whole partition',
    (store) => {
      const subjects = new Set<string>()
      return {
        async insert(grant) {
          subjects.add(grant.subject)
          return store.insert(grant)
        },
        async list(subject) {
          const near = [...subjects].filter((other) => other.startsWith(subject.slice(0, 4)))
          const pages = await Promise.all(near.map((other) => store.list(other)))
          return { grants: pages.flatMap(({ grants }) => grants), next: undefined }
        },
      }
    },
    'the live grants of a subject, and of no other',
  ],
  [
    'a page repeats the last grant of the one before',
    (store) => ({
      async list(subject, page = {}) {
        const after = page.after && String(Number(page.after) - 1)
        return store.list(subject, { ...page, ...(after && { after }) })
      },
    }),
    'in pages of at most the limit, each grant once',
  ],
  [
    'the limit of a page is ignored',
    (store) => ({ list: (subject) => store.list(subject, { limit: 1000 }) }),
    'in pages of at most the limit, each grant once',
  ],
  [
    'a page begins at a number of grants, whichever were revoked since',
    (store) => ({
      async list(subject, { limit = 100, after = '0' } = {}) {
        const { grants } = await store.list(subject, { limit: 1000 })
        const end = Number(after) + limit
        return {
          grants: grants.slice(Number(after), end),
          next: end < grants.length ? String(end) : undefined,
        }
      },
    }),
    'a page begins where the one before ended, also when its grants were revoked since',
  ],
  [
    'what is beyond the first page is not there',
    (store) => ({
      list: async (subject, page) => ({ grants: (await store.list(subject, page)).grants, next: undefined }),
    }),
    '100 grants at most by default',
  ],
  [
    'revokeAll stops after a page of ten',
    (store) => ({
      async revokeAll(subject) {
        const { grants } = await store.list(subject, { limit: 10 })
        for (const { key } of grants) await store.revoke(key)
        return grants.length
      },
    }),
    'removes the live grants of a subject and says how many there were',
  ],
  [
    'revokeAll does not say how many',
    (store) => ({ revokeAll: (subject, filter) => store.revokeAll(subject, filter).then(() => 0) }),
    'removes the live grants of a subject and says how many there were',
  ],
  [
    'revokeAll ignores its filter',
    (store) => ({ revokeAll: (subject) => store.revokeAll(subject) }),
    'with a filter, only the grants for this client',
  ],
  [
    'there is no cap',
    (store) => ({
      // A client of its own for each grant, and so never too many for one.
      insert: (grant) => store.insert({ ...grant, client: grant.key }),
    }),
    'above 100 grants of one subject for one client the oldest goes, and no other',
  ],
  [
    'the cap counts the grants of all clients',
    (store) => ({ insert: (grant) => store.insert({ ...grant, client: 'any' }) }),
    'above 100 grants of one subject for one client the oldest goes, and no other',
  ],
  [
    'the cap goes by age alone',
    (store) => ({
      insert: (grant) => store.insert({ ...grant, link: grant.link + 1 }),
      advance: (key, from, move) => store.advance(key, from + 1, { ...move, to: move.to + 1 }),
      find: async (key) => change(await store.find(key), ({ link }) => ({ link: link - 1 })),
    }),
    'a grant that has left link 0 stays while one at link 0 can go',
  ],
  [
    'the cap takes the new grant',
    (store) => ({
      async insert(grant) {
        await store.insert(grant)
        const page = await store.list(grant.subject)
        if (page.grants.length === MAX_GRANTS_PER_CLIENT && grant.link === 0) await store.revoke(grant.key)
      },
    }),
    'where no grant is at link 0 the oldest goes, and never the new one',
  ],
  [
    'the cap counts, then drops, among many more by then',
    (store) => ({
      async insert(grant) {
        // The store beneath has a cap as well: a client of its own for each grant.
        await store.insert({ ...grant, client: grant.key })
        const { grants } = await store.list(grant.subject, { limit: 1000 })
        await later()
        const others = grants.filter(({ key }) => key !== grant.key).sort((a, b) => a.link - b.link)
        for (const { key } of others.slice(0, Math.max(0, grants.length - MAX_GRANTS_PER_CLIENT)))
          await store.revoke(key)
      },
    }),
    'many that come at once end one in use at most, and not all of each other',
  ],
  [
    'a grant never expires',
    (store) => ({ insert: (grant) => store.insert({ ...grant, expiresIn: 1e9, endsIn: 1e9 }) }),
    'a grant expires after `expiresIn`, if no move lets it live longer',
  ],
  [
    'a move loses the expiry',
    (store) => ({
      insert: (grant) => store.insert({ ...grant, endsIn: 1e9 }),
      advance: (key, from, move) => store.advance(key, from, { ...move, expiresIn: 1e9 }),
    }),
    'it expires after `endsIn`, whatever moves are made',
  ],
  [
    'what has expired is still listed',
    (store) => {
      const all: StoredGrant[] = []
      return {
        async insert(grant) {
          await store.insert(grant)
          all.push({ ...grant, age: 0, idle: 0, superseded: [] })
        },
        list: async (subject) => ({
          grants: all.filter((grant) => grant.subject === subject),
          next: undefined,
        }),
      }
    },
    'a grant expires after `expiresIn`, if no move lets it live longer',
  ],
  [
    'what has expired can still be moved',
    (store) => {
      const all = new Set<string>()
      return {
        async insert(grant) {
          all.add(grant.key)
          return store.insert(grant)
        },
        advance: async (key, from, move) =>
          (await store.advance(key, from, move)) || (all.has(key) && from === 0),
      }
    },
    'a grant expires after `expiresIn`, if no move lets it live longer',
  ],
  [
    'a move does not let the grant live longer',
    (store) => ({ advance: (key, from, move) => store.advance(key, from, { ...move, expiresIn: 0 }) }),
    'after a move it lives for the `expiresIn` of the move at least',
  ],
  [
    'a move sets the expiry, be it sooner',
    (store) => {
      const expiry = new Map<string, number>()
      return {
        async advance(key, from, move) {
          const moved = await store.advance(key, from, move)
          if (moved) expiry.set(key, performance.now() + move.expiresIn * 1000)
          return moved
        },
        find: async (key) =>
          (expiry.get(key) ?? Infinity) > performance.now() ? store.find(key) : undefined,
      }
    },
    'expiry only grows',
  ],
  [
    'a refused move lets the grant live longer',
    (store) => ({
      async advance(key, from, move) {
        const link = (await store.find(key))?.link ?? 0
        if (link !== from) await store.advance(key, link, { ...move, to: link })
        return link === from && store.advance(key, from, move)
      },
    }),
    'a refused move lets nothing live longer',
  ],
  [
    'ages are in milliseconds',
    (store) => ({
      find: async (key) =>
        change(await store.find(key), ({ age, idle }) => ({ age: age * 1000, idle: idle * 1000 })),
    }),
    'are seconds since the insert, the last move and each superseding',
  ],
  [
    'idle is not reset by a move',
    (store) => ({ find: async (key) => change(await store.find(key), ({ age }) => ({ idle: age })) }),
    'are seconds since the insert, the last move and each superseding',
  ],
  [
    'idle is zero before the first move',
    (store) => ({
      find: async (key) =>
        change(await store.find(key), ({ age, idle }) => ({ idle: idle === age ? 0 : idle })),
    }),
    'before the first move, idle is as long as the age',
  ],
  [
    'times are by the clock of the app server',
    () => memoryStore({ now: () => Date.now() }),
    'and expiry are by the clock of the store: app servers may disagree on the time',
  ],
  [
    'expiry is by the clock of the app server',
    (store) => {
      const expiry = new Map<string, Date>()
      return {
        async insert(grant) {
          const expires = new Date()
          expires.setSeconds(expires.getSeconds() + grant.expiresIn)
          expiry.set(grant.key, expires)
          return store.insert(grant)
        },
        find: async (key) => ((expiry.get(key) ?? 0) > new Date() ? store.find(key) : undefined),
      }
    },
    'and expiry are by the clock of the store: app servers may disagree on the time',
  ],
  [
    'a short-lived value comes back changed',
    (store) => ({ put: (key, value, ttl) => store.put(key, value.trim(), ttl) }),
    'what was put is there, and take gets and deletes it',
  ],
  [
    'take leaves the value',
    (store) => ({ take: (key) => store.get(key) }),
    'what was put is there, and take gets and deletes it',
  ],
  [
    'put overwrites',
    (store) => ({
      async put(key, value, ttl) {
        const holds = await store.get(key)
        await store.take(key)
        await store.put(key, value, ttl)
        return holds === undefined || holds === value
      },
    }),
    'put is false, and changes nothing, when the key holds another value',
  ],
  [
    'put refuses the same value',
    (store) => ({
      put: async (key, value, ttl) => (await store.get(key)) === undefined && store.put(key, value, ttl),
    }),
    'put is false, and changes nothing, when the key holds another value',
  ],
  [
    'a short-lived key never expires',
    (store) => ({ put: (key, value) => store.put(key, value, 1e9) }),
    'a key lasts for `ttl` seconds, and can be put again',
  ],
  [
    'whatever it does not know as a place is the beginning',
    (store) => ({
      list: (subject, { after = '', ...page } = {}) =>
        store.list(subject, /^\d+$/.test(after) ? { ...page, after } : page),
    }),
    'after what is no `next` of a page there are no grants',
  ],
  [
    'take gets, then deletes',
    (store) => ({
      async take(key) {
        const value = await store.get(key)
        await later()
        await store.take(key)
        return value
      },
    }),
    'of many callers that take, one gets the value',
  ],
  [
    'put checks, then sets',
    (store) => ({
      async put(key, value, ttl) {
        if ((await store.get(key)) !== undefined) return false
        await later()
        await store.take(key)
        return store.put(key, value, ttl)
      },
    }),
    'of many callers that put different values, one succeeds',
  ],
  [
    'short-lived keys and grants share their names',
    (store) => ({
      put: async (key, value, ttl) => (await store.find(key)) === undefined && store.put(key, value, ttl),
    }),
    'a short-lived key and a grant of the same name have nothing to do with each other',
  ],
  [
    'insert checks, then acts',
    (store) => ({
      async insert(grant) {
        if (await store.find(grant.key)) return
        await later()
        await store.revoke(grant.key)
        await store.insert(grant)
      },
    }),
    'of many callers that insert a key, the first stays',
  ],
  [
    'find is answered from a cache of the process',
    (store) => {
      const cache = new Map<string, StoredGrant>()
      return {
        async find(key) {
          const found = await store.find(key)
          if (!found) return undefined
          const { link } = cache.get(key) ?? found
          cache.set(key, found)
          return { ...found, link }
        },
        async advance(key, from, move) {
          cache.delete(key)
          return store.advance(key, from, move)
        },
      }
    },
    'what one process has done, another sees at once',
  ],
  [
    'get is answered from a cache of the process',
    (store) => {
      const cache = new Map<string, string>()
      return {
        async get(key) {
          const value = cache.get(key) ?? (await store.get(key))
          if (value !== undefined) cache.set(key, value)
          return value
        },
        async take(key) {
          cache.delete(key)
          return store.take(key)
        },
      }
    },
    'what one process has done, another sees at once',
  ],
  [
    'a move that stays at its link only lets the grant live longer, whatever its link is',
    (store) => ({
      async advance(key, from, move) {
        const link = (await store.find(key))?.link ?? 0
        return from === move.to
          ? store.advance(key, link, { ...move, to: link })
          : store.advance(key, from, move)
      },
    }),
    'moves the grant from link `from`, if that is still its link, and says whether it did',
  ],
  [
    'a chain goes back',
    (store) => {
      const back = new Map<string, number>()
      return {
        async advance(key, from, move) {
          if (move.to >= from) return store.advance(key, from, move)
          back.set(key, move.to)
          return (await store.find(key))?.link === from
        },
        find: async (key) => change(await store.find(key), ({ link }) => ({ link: back.get(key) ?? link })),
      }
    },
    'false if `to` < `from`: a chain never goes back',
  ],
  [
    'advance checks, then acts, one after the other in each process',
    (store) => {
      let last: Promise<unknown> = Promise.resolve()
      async function checkThenAct(...[key, from, move]: Parameters<TokenStore['advance']>) {
        if ((await store.find(key))?.link !== from) return false
        await later()
        return store.advance(key, (await store.find(key))?.link ?? from, move)
      }
      return {
        advance: (key, from, move) => {
          const turn = last.then(() => checkThenAct(key, from, move))
          last = turn
          return turn
        },
      }
    },
    'of many callers that move from the same link to a later one, exactly one wins',
  ],
  [
    'revoke checks, then acts',
    (store) => ({
      async revoke(key) {
        if (!(await store.find(key))) return false
        await later()
        await store.revoke(key)
        return true
      },
    }),
    'of many callers that revoke, one is told true',
  ],
  [
    'revokeAll removes the first page',
    (store) => ({
      async revokeAll(subject, { client } = {}) {
        const { grants } = await store.list(subject)
        const asked = grants.filter((grant) => client === undefined || grant.client === client)
        const revoked = await Promise.all(asked.map(({ key }) => store.revoke(key)))
        return revoked.filter(Boolean).length
      },
    }),
    'removes all, be they more than a page holds',
  ],
  [
    'revokeAll reads, then removes what has not moved since',
    (store) => ({
      async revokeAll(subject) {
        const { grants } = await store.list(subject)
        await later()
        const revoked = await Promise.all(
          grants.map(async ({ key, link }) => (await store.find(key))?.link === link && store.revoke(key)),
        )
        return revoked.filter(Boolean).length
      },
    }),
    'removes also what is moved at the same time',
  ],
  [
    'the index forgets a grant when it would have expired without its moves',
    (store) => {
      const forgotten = new Map<string, number>()
      return {
        async insert(grant) {
          forgotten.set(grant.key, performance.now() + grant.expiresIn * 1000)
          await store.insert(grant)
        },
        async list(subject, page) {
          const { grants, next } = await store.list(subject, page)
          return { grants: grants.filter(({ key }) => Number(forgotten.get(key)) > performance.now()), next }
        },
      }
    },
    'after a move it lives for the `expiresIn` of the move at least',
  ],
  [
    'put of the same value lets it live longer',
    (store) => ({
      async put(key, value, ttl) {
        if ((await store.get(key)) === value) await store.take(key)
        return store.put(key, value, ttl)
      },
    }),
    'put of the same value changes nothing, not even how long the key lasts',
  ],
  [
    'put clears away what it finds expired, whatever has become of it',
    (store) => {
      const expiry = new Map<string, number>()
      return {
        async put(key, value, ttl) {
          if (Number(expiry.get(key)) <= performance.now()) {
            await later()
            await store.take(key)
          }
          const put = await store.put(key, value, ttl)
          if (put) expiry.set(key, performance.now() + ttl * 1000)
          return put
        },
      }
    },
    'of many callers that put on an expired key, one succeeds',
  ],
  [
    'clients are the same in any case',
    (store) => {
      const lower = (grant: StoredGrant) => grant.client.toLowerCase()
      return {
        async revokeAll(subject, { client } = {}) {
          if (client === undefined) return store.revokeAll(subject)
          const { grants } = await store.list(subject, { limit: 1000 })
          const asked = grants.filter((grant) => lower(grant) === client.toLowerCase())
          const revoked = await Promise.all(asked.map(({ key }) => store.revoke(key)))
          return revoked.filter(Boolean).length
        },
      }
    },
    'strings are the same only if they are alike in case, accents, spaces and to the end',
  ],
  [
    'short-lived keys are compared without the spaces at their end',
    (store) => ({
      put: (key, value, ttl) => store.put(key.trimEnd(), value, ttl),
      get: (key) => store.get(key.trimEnd()),
      take: (key) => store.take(key.trimEnd()),
    }),
    'strings are the same only if they are alike in case, accents, spaces and to the end',
  ],
  [
    'of a short-lived key only the beginning counts',
    (store) => ({
      put: (key, value, ttl) => store.put(key.slice(0, 768), value, ttl),
      get: (key) => store.get(key.slice(0, 768)),
      take: (key) => store.take(key.slice(0, 768)),
    }),
    'strings are the same only if they are alike in case, accents, spaces and to the end',
  ],
  [
    'values are the same in any case',
    (store) => ({
      put: async (key, value, ttl) =>
        (await store.put(key, value, ttl)) || (await store.get(key))?.toLowerCase() === value.toLowerCase(),
    }),
    'strings are the same only if they are alike in case, accents, spaces and to the end',
  ],
  [
    'a link has 16 bits',
    (store) => ({
      advance: (key, from, move) => store.advance(key, from, { ...move, to: Math.min(move.to, 65_535) }),
    }),
    'remembers when the last four links were superseded, newest first',
  ],
  [
    'a listed grant says less than one that is found',
    (store) => ({
      async list(subject, page) {
        const { grants, next } = await store.list(subject, page)
        return { grants: grants.map((grant) => ({ ...grant, idle: grant.age, superseded: [] })), next }
      },
    }),
    'a listed grant says the same as one that is found',
  ],
  [
    'a page of more than 100 loses the rest',
    (store) => ({
      async list(subject, { limit = 100, ...page } = {}) {
        const { grants, next } = await store.list(subject, { ...page, limit: Math.min(limit, 100) })
        return { grants, next: grants.length < limit ? undefined : next }
      },
    }),
    '100 grants at most by default',
  ],
  [
    'the index expires with the last grant that came',
    (store) => {
      const expiry = new Map<string, number>()
      const isThere = (subject: string) => Number(expiry.get(subject)) > performance.now()
      return {
        async insert(grant) {
          expiry.set(grant.subject, performance.now() + grant.endsIn * 1000)
          await store.insert(grant)
        },
        list: async (subject, page) =>
          isThere(subject) ? store.list(subject, page) : { grants: [], next: undefined },
        revokeAll: async (subject, filter) => (isThere(subject) ? store.revokeAll(subject, filter) : 0),
      }
    },
    'one that outlives others of its subject stays in the index',
  ],
  [
    'milliseconds have 32 bits',
    (store) => ({
      insert: (grant) => store.insert({ ...grant, endsIn: ((grant.endsIn * 1000) | 0) / 1000 }),
    }),
    'what may live for 90 days, or for 100 years, is not gone at once',
  ],
]

describe('the suite catches a store whose', () => {
  test.each(bugs)('%s', async (_, broken, title) => {
    const rules = rulesFor(sharing(broken))
    await expect(rules.get(title)?.()).rejects.toMatchObject({ code: 'ERR_ASSERTION' })
  })

  test('every rule is broken by one of them', () => {
    const rules = [...rulesFor(sharing()).keys()]
    expect(rules.filter((title) => !bugs.some(([, , rule]) => rule === title))).toEqual([])
  })
})

test('each rule is tried between two stores, but with `shared: false`', async () => {
  for (const [shared, made] of [
    [undefined, 2],
    [true, 2],
    [false, 1],
  ] as const) {
    const createStore = jest.fn(sharing())
    const bodies: (() => Promise<void>)[] = []
    storeContract({ createStore, shared, test: (_, body) => bodies.push(body) })
    await bodies[0]?.()
    expect(createStore).toHaveBeenCalledTimes(made)
  }
})

test('groups its rules where the runner has `describe`, and closes each store it was given', async () => {
  const titles: string[] = []
  const bodies: (() => Promise<void>)[] = []
  let open = 0
  storeContract({
    createStore: async () => {
      open++
      return { ...memoryStore(), close: async () => void open-- }
    },
    describe: (title, body) => {
      titles.push(title)
      body()
    },
    test: (_, body) => bodies.push(body),
  })
  expect(titles).toEqual([
    'insert and find',
    'advance',
    'revoke',
    'list',
    'revokeAll',
    'the cap',
    'expiry',
    'ages',
    'put, get and take',
  ])
  await bodies[0]?.()
  expect(open).toBe(0)
})

function change(
  grant: StoredGrant | undefined,
  by: (grant: StoredGrant) => Partial<StoredGrant>,
): StoredGrant | undefined {
  return grant && { ...grant, ...by(grant) }
}
