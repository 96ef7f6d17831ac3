// A bound on how long something of ours may take: a request is answered, whatever hangs underneath.

/** What a timer can hold, in milliseconds; above it Node fires at once. */
const LONGEST = 2 ** 31 - 1

/** What took too long. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError'
}

/** Rejects with a {@link DeadlineError} after `seconds`. What was begun goes on, and its outcome is nobody's business any more. */
export function withDeadline<T>(seconds: number, operation: string, begun: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      // After one more look at what has come: a process that was busy itself must not blame another.
      () => setImmediate(() => reject(new DeadlineError(`${operation} did not answer within ${seconds} s.`))),
      Math.min(seconds * 1000, LONGEST),
    )
    begun.then(
      (result) => {
        clearTimeout(timer)
        resolve(result)
      },
      (cause) => {
        clearTimeout(timer)
        reject(cause)
      },
    )
  })
}
