// What the pages in docs/ say of errors and events is complete.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { files } from '../package.json'

const root = join(__dirname, '..')
const sources = readdirSync(join(root, 'lib'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => readFileSync(join(root, 'lib', file), 'utf8'))
  .join('\n')
const page = (name: string) => readFileSync(join(root, 'docs', name), 'utf8')

function found(pattern: RegExp): string[] {
  return [...new Set(Array.from(sources.matchAll(pattern), ([, name]) => name as string))].sort()
}

test('docs/errors.md explains each code of a ConfigError, and no other', () => {
  const codes = found(/new ConfigError\(\s*'(\w+)'/g)
  const [, table = ''] = page('errors.md').split('## Configuration errors')
  const rows = (table.split('\n## ')[0] ?? '').split('\n').filter((line) => line.startsWith('| `'))
  const explained = rows.flatMap((row) =>
    Array.from(row.split('|')[1]?.matchAll(/`(\w+)`/g) ?? [], ([, code]) => code),
  )
  expect(codes.length).toBeGreaterThan(40)
  expect(explained.sort()).toEqual(codes)
})

test('docs/operations.md explains each type of event', () => {
  const types = found(/readonly type: '([\w.-]+)'/g)
  expect(types.length).toBeGreaterThan(9)
  expect(types.filter((type) => !page('operations.md').includes(`\`${type}\``))).toEqual([])
})

test('the README fits on a few screens', () => {
  expect(readFileSync(join(root, 'README.md'), 'utf8').split('\n').length).toBeLessThan(150)
})

/** As GitHub and npm name a heading. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')
}

function anchorsOf(markdown: string): string[] {
  return Array.from(markdown.matchAll(/^#+ (.*)$/gm), ([, heading]) => anchorOf(heading as string))
}

const documents = [
  'README.md',
  'CHANGELOG.md',
  'SECURITY.md',
  ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`),
]
const links = documents.flatMap((document) =>
  Array.from(
    readFileSync(join(root, document), 'utf8').matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g),
    (match) => {
      const [, path, anchor] = match as unknown as [string, string, string | undefined]
      return { document, target: path === '' ? document : normalize(join(dirname(document), path)), anchor }
    },
  ),
)

test('every link from page to page leads somewhere', () => {
  expect(links.length).toBeGreaterThan(40)
  const broken = links.filter(({ target, anchor }) => {
    if (!existsSync(join(root, target))) return true
    return anchor !== undefined && !anchorsOf(readFileSync(join(root, target), 'utf8')).includes(anchor)
  })
  expect(broken).toEqual([])
})

test('every page that a packed page leads to is packed; sources and examples are in the repository only', () => {
  const packed = ['README.md', 'LICENSE', 'package.json', ...files]
  const missing = links.filter(({ document, target }) => {
    const [top = ''] = target.split('/')
    return (
      packed.includes(document.split('/')[0] as string) &&
      ![...packed, 'lib', 'examples', 'bench'].includes(top)
    )
  })
  expect(missing).toEqual([])
})
