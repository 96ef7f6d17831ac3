import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from 'pg'
import { startPostgres } from './postgres-server'

/** Whether a fresh connection gets an answer soon. */
async function answers(url: string): Promise<boolean> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 500, query_timeout: 500 })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query('SELECT 1')
    return true
  } catch {
    return false
  } finally {
    void client.end()
  }
}

test('answers, freezes, goes on, dies and comes back on the same port, with its data', async () => {
  const postgres = await startPostgres()
  try {
    expect(await answers(postgres.url)).toBe(true)
    const client = new Client(postgres.url)
    client.on('error', () => {})
    await client.connect()
    await client.query('CREATE TABLE kept AS SELECT 1 AS one')

    postgres.pause()
    expect(await answers(postgres.url)).toBe(false)
    const late = client.query('SELECT 1') // on a connection that is there already
    expect(await Promise.race([late, delay(300, 'frozen')])).toBe('frozen')
    postgres.resume()
    await late
    expect(await answers(postgres.url)).toBe(true)

    await postgres.kill()
    expect(await answers(postgres.url)).toBe(false)
    await postgres.restart()
    const again = new Client(postgres.url)
    await again.connect()
    expect((await again.query('SELECT one FROM kept')).rows).toEqual([{ one: 1 }])
    await again.end()
    postgres.pause()
  } finally {
    await postgres.stop()
  }
  expect(await answers(postgres.url)).toBe(false)
})

test.each(['running', 'frozen'])(
  'ends with the process that started it, even one that is killed (%s)',
  async (how) => {
    const script = `require('${__dirname}/postgres-server.ts').startPostgres().then(async (postgres) => {
      const client = new (require('pg').Client)(postgres.url)
      await client.connect()
      const { rows } = await client.query('SHOW data_directory')
      if (${how === 'frozen'}) postgres.pause()
      console.log(JSON.stringify([postgres.url, rows[0].data_directory]))
    })`
    const owner: ChildProcess = spawn(process.execPath, ['--require', 'tsx/cjs', '--eval', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [line] = await once(owner.stdout as NodeJS.ReadableStream, 'data')
    const [url, directory] = JSON.parse(String(line)) as [string, string]
    expect(await answers(url)).toBe(how === 'running')
    owner.kill('SIGKILL')
    await once(owner, 'exit')
    const until = Date.now() + 10_000
    while (existsSync(directory) && Date.now() < until) await delay(50)
    expect(existsSync(directory)).toBe(false)
    expect(await answers(url)).toBe(false)
  },
)
