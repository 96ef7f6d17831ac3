// A process of its own that shares a database with others. Told a grant, it moves it from link 0, many times at once.
import { randomBytes } from 'node:crypto'
import { postgresStore } from '../../lib/stores/postgres'
import { sqliteStore } from '../../lib/stores/sqlite'

export interface Race {
  readonly key: string
  readonly callers: number
}

export interface RaceResult {
  readonly won: number
  readonly lost: number
  readonly failed: number
}

const [kind, place] = process.argv.slice(2) as ['postgres' | 'sqlite', string]
const store =
  kind === 'postgres' ? postgresStore({ url: place, timeoutSeconds: 10 }) : sqliteStore({ file: place })

process.on('message', async ({ key, callers }: Race) => {
  const moves = Array.from({ length: callers }, () =>
    store.advance(key, 0, { op: randomBytes(16).toString('base64url'), to: 1, expiresIn: 60 }),
  )
  const outcomes = await Promise.allSettled(moves)
  const count = (outcome: boolean | undefined) =>
    outcomes.filter((one) => (one.status === 'fulfilled' ? one.value : undefined) === outcome).length
  process.send?.({ won: count(true), lost: count(false), failed: count(undefined) } satisfies RaceResult)
})
process.on('disconnect', () => store.close())
process.send?.('ready')
