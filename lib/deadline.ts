// A bound on how long something of ours may take: a request is answered, whatever hangs underneath.

/** What a timer can hold, in milliseconds; above it Node fires at once. */
const LONGEST = 2 ** 31 - 1

/** In so many steps it is counted how long another is silent. What this process is late by, it is late by in each. */
export const STEPS = 5

/**
 * Waits so many milliseconds, in which this process could hear, before it gives up. They are counted in steps, each of
 * which ends with a look at what has come: a process that was busy itself must not blame another. A class, because there
 * is one for each call of a store.
 */
export class Patience {
  private left = STEPS
  private readonly timer: NodeJS.Timeout

  constructor(
    milliseconds: number,
    private readonly giveUp: () => void,
  ) {
    this.timer = setTimeout(Patience.endStep, Math.min(milliseconds / STEPS, LONGEST), this)
  }

  /** What was waited for has come. */
  end(): void {
    this.left = 0
    clearTimeout(this.timer)
  }

  // Without a closure for each.
  private static endStep(patience: Patience): void {
    setImmediate(Patience.look, patience)
  }

  /** Behind the next reading of sockets. */
  private static look(patience: Patience): void {
    if (patience.left === 0) return
    patience.left--
    if (patience.left > 0) patience.timer.refresh()
    else patience.giveUp()
  }
}

/** What took too long. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError'
}

/** Rejects with a {@link DeadlineError} after `seconds`. What was begun goes on, and its outcome is nobody's business any more. */
export function withDeadline<T>(seconds: number, operation: string, begun: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const patience = new Patience(seconds * 1000, () =>
      reject(new DeadlineError(`${operation} did not answer within ${seconds} s.`)),
    )
    begun.then(
      (result) => {
        patience.end()
        resolve(result)
      },
      (cause) => {
        patience.end()
        reject(cause)
      },
    )
  })
}
