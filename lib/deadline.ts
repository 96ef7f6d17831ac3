// A bound on how long something of ours may take: a request is answered, whatever hangs underneath.

/** Rejects after `seconds`. What was begun goes on, and its outcome is nobody's business any more. */
export function withDeadline<T>(seconds: number, operation: string, begun: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`${operation} did not answer within ${seconds} s.`)),
      seconds * 1000,
    )
    begun.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
