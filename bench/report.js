// Results as tables of Markdown: on the screen, and in docs/benchmarks.md between the marks of each measurement. What is
// around the marks is written by hand and stays.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { SCENARIOS, SERVERS } from './scenarios.js'

const DOCUMENT = new URL('../docs/benchmarks.md', import.meta.url)
const KEPT = new URL('../.tmp/bench/', import.meta.url)

/** The sentence that a table without its machine would lack. */
export function measuredOn(redisVersion) {
  const { model } = cpus()[0]
  const month = new Date().toISOString().slice(0, 7)
  return `Node ${process.version.slice(1)}, Redis ${redisVersion}, ${cpus().length} cores of ${model.trim()}, ${month}.`
}

/** @param {readonly (readonly (string | number)[])[]} rows The first holds the names of the columns. */
export function table([head, ...rows]) {
  const line = (cells) => `| ${cells.join(' | ')} |`
  const rule = `|${head.map((_, i) => (i === 0 ? '---' : '---:')).join('|')}|`
  return [line(head), rule, ...rows.map(line)].join('\n')
}

/** Puts the text between `<!-- name -->` and `<!-- /name -->`. */
export function writeSection(name, text) {
  const before = readFileSync(DOCUMENT, 'utf8')
  const marks = new RegExp(`(<!-- ${name} -->\n)[^]*?(<!-- /${name} -->)`)
  if (!marks.test(before)) throw new Error(`docs/benchmarks.md has no place for ${name}`)
  writeFileSync(
    DOCUMENT,
    before.replace(marks, (_, start, end) => `${start}\n${text}\n\n${end}`),
  )
}

/** The results of one scenario, kept, so that scenarios can be run one at a time. */
export function keep(scenario, result) {
  mkdirSync(KEPT, { recursive: true })
  writeFileSync(new URL(`${scenario.name}.json`, KEPT), JSON.stringify(result))
}

export function kept() {
  const results = {}
  for (const { name } of SCENARIOS) {
    try {
      results[name] = JSON.parse(readFileSync(new URL(`${name}.json`, KEPT), 'utf8'))
    } catch (error) {
      if (error.code !== 'ENOENT') throw error
    }
  }
  return results
}

const redisOf = ({ roundTrips, commands, commandsInScripts }) => [roundTrips, commands, commandsInScripts]

/** The tables of `npm run bench`. @param {Record<string, Record<string, any>>} results By scenario, then by server. */
export function tablesOf(results) {
  const scenarios = SCENARIOS.filter(({ name }) => results[name])
  const servers = SERVERS.filter(({ name }) => scenarios.some((scenario) => results[scenario.name][name]))
  const rows = (columns) =>
    servers.map(({ name, title }) => [
      title,
      ...scenarios.map((scenario) => {
        const result = results[scenario.name]
        return result[name] ? columns(result[name], result['hand-written']) : ''
      }),
    ])
  const titles = ['', ...scenarios.map(({ title }) => title)]
  const ratio = (one, other, digits = 0) => `${one.toFixed(digits)} · ${(one / other).toFixed(2)}`
  /** Several figures that belong together, and the ratio of each. */
  const ratios = (ones, others, print) => {
    const parts = ones.map((one, i) => (others[i] > 0 ? (one / others[i]).toFixed(2) : '–'))
    return `${ones.map(print).join(' / ')} · ${parts.join(' / ')}`
  }

  const tables = [
    'CPU of the server for one request, in µs, and its ratio to the hand-written endpoint:',
    table([titles, ...rows(({ cpu }, base) => ratio(cpu, base.cpu))]),
    'Requests per second on one core, and the ratio:',
    table([titles, ...rows(({ rate }, base) => ratio(rate, base.rate))]),
    'Milliseconds with 32 requests in flight, p50 / p99, and the ratios:',
    table([
      titles,
      ...rows((r, base) => ratios([r.p50, r.p99], [base.p50, base.p99], (ms) => ms.toFixed(1))),
    ]),
    'Redis: round trips / commands sent / commands inside scripts, of one request, and the ratios:',
    table([
      titles,
      ...rows((r, base) => ratios(redisOf(r), redisOf(base), (count) => Math.round(count * 10) / 10)),
    ]),
    'Peak memory of the process (RSS), in MiB, and the ratio:',
    table([titles, ...rows(({ memory }, base) => ratio(memory / 2 ** 20, base.memory / 2 ** 20))]),
  ]
  const bytes = results['es256-rotate']
  if (bytes) {
    const base = bytes['hand-written']
    tables.push(
      'Bytes in Redis, indexes included:',
      table([
        ['', 'a live grant', 'each rotation adds'],
        ...servers.map(({ name, title }) => [
          title,
          ratio(bytes[name].perGrant, base.perGrant),
          // Below this it is the buffers of connections that come and go.
          Math.abs(bytes[name].perRotation) < 10 ? 0 : Math.round(bytes[name].perRotation),
        ]),
      ]),
    )
  }
  return tables.join('\n\n')
}
