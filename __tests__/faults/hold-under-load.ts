// A server in a process of its own, under load before, during and after a fault; and all that is asked of it.
import { setTimeout as delay } from 'node:timers/promises'
import type { RedisStoreOptions } from '../../lib'
import { startServer, type TestServer } from '../processes/start-server'
import { watchProcessor } from '../support/processor'
import { type Answered, Load } from './load'
import { ANSWERED_WITHIN, BACK_WITHIN } from './redis-faults'

export const PER_SECOND = 300

/** Milliseconds. A fault that ends by itself may take longer. */
const BEFORE = 500
const DURING = 2000
const AFTER = 700

/**
 * By how many bytes the memory that the server uses after a garbage collection may grow: from before the load, when it is
 * idle, to after it; and from the middle of the fault to its end, while requests wait.
 */
const FLAT = 1_500_000
const FLAT_AT_WORK = 4_000_000

/** By how many milliseconds a bound is put off at most where the machine has too few processors. */
const MOST_WAITED = 1000

/** Milliseconds for which a store may leave the server without an answer. */
const STORE_DEADLINE = 700

export interface Cause {
  begin(): unknown
  end(): unknown
}

export interface Loaded {
  readonly server: TestServer
  readonly load: Load
}

export async function startLoaded(redis: string | RedisStoreOptions): Promise<Loaded> {
  // Codes are made long before they are redeemed.
  const server = await startServer({ redis, lifetimes: { codeSeconds: 600 } })
  return { server, load: await Load.prepare(server, PER_SECOND) }
}

/** Answers to refreshes, which need all of Redis, are the measure of when it is back. */
const shows = (removed: number) => (one: Answered) =>
  one.kind === 'refresh' && one.sent > removed && one.said === 'works'

/**
 * Whatever the fault: all requests are answered, within 1.5 s, with what is right or with 503; nobody is logged out, no
 * code is redeemed twice; the memory of the server stays flat; and within 2 s after the fault all is well again.
 *
 * @param noticed `false`: no request is answered with 503.
 */
export async function expectToHold({ server, load }: Loaded, cause: Cause, noticed = true): Promise<void> {
  await load.provide((BEFORE + DURING + BACK_WITHIN + AFTER) / 1000)
  const idle = await server.ask('memory')
  const processor = watchProcessor([server.process.pid as number, process.pid])
  load.start()
  await delay(BEFORE)

  const begun = performance.now()
  await cause.begin()
  await delay(DURING / 2)
  const middle = await server.ask('memory')
  await delay(DURING / 2)
  const grownAtWork = (await server.ask('memory')) - middle
  await cause.end()
  const removed = performance.now()

  while (!load.answered.some(shows(removed)) && performance.now() < removed + 2 * BACK_WITHIN) await delay(10)
  await delay(AFTER)
  await load.stop()
  const grown = (await server.ask('memory')) - idle
  processor.stop()

  /** For how long the machine let them wait, when it had too few processors. Also before: what was late then is so now. */
  const waited = ({ sent, at }: Answered) => Math.min(MOST_WAITED, processor.waited(sent - BACK_WITHIN, at))
  const { answered } = load
  const during = answered.filter(({ sent }) => sent > begun && sent < removed)
  const back = answered.find(shows(removed)) as Answered
  const unwell = (all: readonly Answered[]) =>
    all.filter((one) => one.said !== 'works' && waited(one) < STORE_DEADLINE)

  expect(await load.faults()).toEqual([])
  expect(answered.filter((one) => one.at - one.sent > ANSWERED_WITHIN + waited(one))).toEqual([])
  expect(during.length).toBeGreaterThan(0.9 * PER_SECOND * (DURING / 1000))
  if (noticed) expect(during.filter(({ said }) => said === 'unavailable').length).toBeGreaterThan(0)
  else expect(unwell(answered)).toEqual([])

  expect(back).toBeDefined()
  expect(back.at - removed).toBeLessThan(BACK_WITHIN + waited(back))
  const later = answered.filter(({ sent }) => sent > back.at)
  expect(later.length).toBeGreaterThan(0.5 * PER_SECOND * (AFTER / 1000))
  expect(unwell(later)).toEqual([])
  expect(grown).toBeLessThan(FLAT)
  expect(grownAtWork).toBeLessThan(FLAT_AT_WORK)
}
