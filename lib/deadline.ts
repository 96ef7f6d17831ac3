// A bound on how long something of ours may take: a request is answered, whatever hangs underneath.

/** What a timer can hold, in milliseconds; above it Node fires at once. */
const LONGEST = 2 ** 31 - 1

/** In so many steps is counted how long another is silent. */
const STEPS = 10

/**
 * Calls `giveUp` after so many milliseconds in which this process could hear. They are counted in steps, each of which
 * ends with a look at what has come: a process that was busy itself must not blame another. Returns what cancels it.
 */
export function afterSilence(milliseconds: number, giveUp: () => void): () => void {
  let left = STEPS
  const timer = setTimeout(() => setImmediate(look), Math.min(milliseconds / STEPS, LONGEST))
  function look(): void {
    if (left === 0) return
    left--
    if (left > 0) timer.refresh()
    else giveUp()
  }
  return () => {
    left = 0
    clearTimeout(timer)
  }
}

/** What took too long. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError'
}

/** Rejects with a {@link DeadlineError} after `seconds`. What was begun goes on, and its outcome is nobody's business any more. */
export function withDeadline<T>(seconds: number, operation: string, begun: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const answered = afterSilence(seconds * 1000, () =>
      reject(new DeadlineError(`${operation} did not answer within ${seconds} s.`)),
    )
    begun.then(
      (result) => {
        answered()
        resolve(result)
      },
      (cause) => {
        answered()
        reject(cause)
      },
    )
  })
}
