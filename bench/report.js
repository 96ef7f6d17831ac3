// Results as tables of Markdown: on the screen, and in docs/benchmarks.md between the marks of each measurement. What is
// around the marks is written by hand and stays.
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { SCENARIOS, SERVERS } from './scenarios.js'

const DOCUMENT = new URL('../docs/benchmarks.md', import.meta.url)

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

/** A figure and its ratio to that of the hand-written endpoint. */
export function withRatio(one, base, digits = 0) {
  return `${one.toFixed(digits)} · ${base > 0 ? (one / base).toFixed(2) : '–'}`
}

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
  const mebibytes = ({ memory }) => memory / 2 ** 20

  const tables = [
    'CPU of the server for one request, in µs (the 10th percentile of slices of 256 requests), and its ratio to the hand-written endpoint:',
    table([titles, ...rows(({ cpu }, base) => withRatio(cpu, base.cpu))]),
    'Requests per second on one core (the 90th percentile of all turns), and the ratio:',
    table([titles, ...rows(({ rate }, base) => withRatio(rate, base.rate))]),
    'Milliseconds with 32 requests in flight, p50 / p99, and the ratios:',
    table([
      titles,
      ...rows((r, base) => `${withRatio(r.p50, base.p50, 1)} / ${withRatio(r.p99, base.p99, 1)}`),
    ]),
    'CPU of Redis for one request, in µs, and the ratio:',
    table([titles, ...rows(({ redisCpu }, base) => withRatio(redisCpu, base.redisCpu))]),
    'Redis: round trips / commands sent / commands inside scripts, of one request, and the ratios:',
    table([
      titles,
      ...rows((r, base) =>
        ['roundTrips', 'commands', 'commandsInScripts']
          .map((count) => withRatio(Math.round(r[count]), base[count]))
          .join(' / '),
      ),
    ]),
    'Peak memory of the process (RSS), in MiB, and the ratio:',
    table([titles, ...rows((r, base) => withRatio(mebibytes(r), mebibytes(base)))]),
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
          withRatio(bytes[name].perGrant, base.perGrant),
          // Below this it is the buffers of connections that come and go.
          Math.abs(bytes[name].perRotation) < 10 ? 0 : Math.round(bytes[name].perRotation),
        ]),
      ]),
    )
  }
  return tables.join('\n\n')
}
