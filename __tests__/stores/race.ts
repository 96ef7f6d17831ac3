// Several processes that race for the same grant.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Race, RaceResult } from './racer'

const PROCESSES = 4
const CALLERS = 25

export interface Racers {
  /** The whole of what the processes saw when all of them moved one grant at once. */
  race(key: string): Promise<RaceResult>
  end(): Promise<void>
}

export async function startRacers(kind: 'postgres' | 'sqlite', place: string): Promise<Racers> {
  const racers = await Promise.all(
    Array.from({ length: PROCESSES }, async () => {
      const racer = fork(join(__dirname, 'racer.ts'), [kind, place], { execArgv: ['--require', 'tsx/cjs'] })
      const [said] = await Promise.race([once(racer, 'message'), once(racer, 'exit')])
      if (said !== 'ready') throw new Error(`a racer ended with ${said}`)
      return racer
    }),
  )

  async function ask(racer: ChildProcess, race: Race): Promise<RaceResult> {
    racer.send(race)
    const [result] = await once(racer, 'message')
    return result
  }

  return {
    async race(key) {
      const results = await Promise.all(racers.map((racer) => ask(racer, { key, callers: CALLERS })))
      const sum = (of: keyof RaceResult) => results.reduce((total, result) => total + result[of], 0)
      return { won: sum('won'), lost: sum('lost'), failed: sum('failed') }
    },
    async end() {
      await Promise.all(
        racers.map((racer) => {
          racer.disconnect()
          return once(racer, 'exit')
        }),
      )
    },
  }
}
