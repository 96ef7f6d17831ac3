// Does what the docs show compile? Each `ts` and `js` block of README.md and docs/ is type-checked against the built
// package, as a module of its own, with scripts/samples/yours.d.ts for what belongs to the reader.
// docs/custom-store.md quotes examples/custom-store instead: there each block must be in the example, letter by letter.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const directory = '.tmp/samples'
/** By the page, where its blocks are quoted from. */
const QUOTES = new Map([['docs/custom-store.md', 'examples/custom-store']])

const pages = ['README.md', ...readdirSync(join(root, 'docs')).map((file) => `docs/${file}`)]
const blocks = pages.flatMap((page) => blocksOf(page))
const faults = [...misquoted(), ...uncompiled()]
if (faults.length > 0) {
  console.error(faults.join('\n'))
  process.exitCode = 1
} else {
  console.log(`${blocks.length} samples in the docs are right`)
}

/**
 * @param {string} page
 * @returns {{ page: string, line: number, language: string, code: string }[]} `line` is that of the opening fence
 */
function blocksOf(page) {
  const text = readFileSync(join(root, page), 'utf8')
  return Array.from(text.matchAll(/^ *```(ts|js)\n(.*?)^ *```$/gms), (match) => ({
    page,
    line: text.slice(0, match.index).split('\n').length,
    language: /** @type {string} */ (match[1]),
    code: /** @type {string} */ (match[2]),
  }))
}

function misquoted() {
  return blocks.flatMap(({ page, line, code }) => {
    const source = QUOTES.get(page)
    if (source === undefined) return []
    const files = readdirSync(join(root, source)).map((file) =>
      readFileSync(join(root, source, file), 'utf8'),
    )
    return files.some((file) => file.includes(code)) ? [] : [`${page}:${line} is in no file of ${source}`]
  })
}

function uncompiled() {
  rmSync(join(root, directory), { recursive: true, force: true })
  for (const { page, line, language, code } of blocks) {
    if (QUOTES.has(page)) continue
    const file = join(root, directory, `${page}.${line}.m${language}`)
    mkdirSync(dirname(file), { recursive: true })
    // On the same lines as in the page, so that what the compiler says of a place is true there.
    writeFileSync(file, '\n'.repeat(line) + code)
  }
  const tsc = join(root, 'node_modules/.bin/tsc')
  const { status, stdout, error } = spawnSync(tsc, ['-p', 'scripts/samples', '--pretty', 'false'], {
    cwd: root,
    encoding: 'utf8',
  })
  if (error) throw error
  if (status === 0) return []
  const place = new RegExp(`^${directory}/(.*?)\\.\\d+\\.m[tj]s\\((\\d+),(\\d+)\\)`, 'gm')
  return [stdout.replace(place, '$1:$2:$3').trimEnd()]
}
