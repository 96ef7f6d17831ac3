import { setImmediate as anotherTurn, setTimeout as delay } from 'node:timers/promises'
import { withDeadline } from '../lib/deadline'

describe('withDeadline', () => {
  it('answers as what was begun answers, when that is in time', async () => {
    await expect(withDeadline(10, 'store.find', delay(5, 'found'))).resolves.toBe('found')
    await expect(withDeadline(10, 'store.find', Promise.reject(new Error('lost')))).rejects.toThrow('lost')
  })

  it('rejects when the time is over, and names what did not answer', async () => {
    const started = performance.now()

    await expect(withDeadline(0.05, 'store.find', delay(5000, undefined, { ref: false }))).rejects.toThrow(
      'store.find did not answer within 0.05 s.',
    )
    expect(performance.now() - started).toBeLessThan(2000)
  })

  it('goes on listening where this process was busy itself: what takes some turns of it is no silence', async () => {
    async function fourTurns(): Promise<string> {
      for (let turn = 0; turn < 4; turn++) {
        for (const end = performance.now() + 40; performance.now() < end; );
        await anotherTurn()
      }
      return 'found'
    }
    await expect(withDeadline(0.05, 'store.find', fourTurns())).resolves.toBe('found')
  })

  it("minds no late outcome: a rejection after the deadline is nobody's", async () => {
    const unhandled: unknown[] = []
    const note = (reason: unknown) => unhandled.push(reason)
    process.on('unhandledRejection', note)
    const late = delay(40).then(() => {
      throw new Error('too late')
    })

    await expect(withDeadline(0.01, 'store.find', late)).rejects.toThrow('did not answer')
    await delay(60)
    process.off('unhandledRejection', note)
    expect(unhandled).toEqual([])
  })

  it('leaves no timer behind that would keep a process alive', async () => {
    const timers = () => process.getActiveResourcesInfo().filter((one) => one === 'Timeout').length
    const before = timers()
    await withDeadline(60, 'store.find', Promise.resolve())
    await withDeadline(60, 'store.find', Promise.reject(new Error('lost'))).catch(() => {})

    expect(timers()).toBe(before)
  })

  it('is not over at once where it is longer than what a timer can hold', async () => {
    await expect(withDeadline(30 * 24 * 60 * 60, 'store.find', delay(20, 'found'))).resolves.toBe('found')
  })
})
