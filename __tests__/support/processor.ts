// How long processes wait for a processor: what a machine that has too few adds to every time that is measured on it.
import { readFileSync } from 'node:fs'

export interface ProcessorWatch {
  /** Milliseconds that they waited in all, between two readings of `performance.now`. */
  waited(from: number, to: number): number
  stop(): void
}

const EVERY = 50

/** Where the system is not Linux it does not tell, and nothing is allowed for. */
export function watchProcessor(pids: readonly number[]): ProcessorWatch {
  const total = () => pids.reduce((sum, pid) => sum + waitOf(pid), 0)
  const samples = [{ at: performance.now(), waited: total() }]
  const timer = setInterval(() => samples.push({ at: performance.now(), waited: total() }), EVERY)
  return {
    waited(from, to) {
      const first = samples.findLast(({ at }) => at <= from) ?? samples[0]
      const last = samples.find(({ at }) => at >= to) ?? samples.at(-1)
      return Number(last?.waited) - Number(first?.waited)
    },
    stop: () => clearInterval(timer),
  }
}

/** Of the main thread: time on a processor, time waiting for one, in nanoseconds. */
function waitOf(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[1]) / 1e6
  } catch {
    return 0
  }
}
