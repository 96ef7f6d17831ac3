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

/** Behind the heading, as far as the next one. */
function section(name: string, heading: string): string {
  return page(name).split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? ''
}

function unexplained(names: readonly string[], text: string): string[] {
  return names.filter((name) => !text.includes(`\`${name}\``))
}

test('docs/errors.md explains each code of a ConfigError, and no other', () => {
  const codes = found(/new ConfigError\(\s*'(\w+)'/g)
  const rows = section('errors.md', 'Configuration errors')
    .split('\n')
    .filter((line) => line.startsWith('| `'))
  const explained = rows.flatMap((row) =>
    Array.from(row.split('|')[1]?.matchAll(/`(\w+)`/g) ?? [], ([, code]) => code),
  )
  expect(codes.length).toBeGreaterThan(40)
  expect(explained.sort()).toEqual(codes)
})

test('docs/errors.md explains each code of an OAuthError that the library knows', () => {
  const [, union = ''] = /type OAuthErrorCode =([^{]*)/.exec(sources) ?? []
  const codes = Array.from(union.matchAll(/'(\w+)'/g), ([, code]) => code as string)
  expect(codes.length).toBeGreaterThan(20)
  expect(unexplained(codes, section('errors.md', 'OAuth error codes'))).toEqual([])
})

test('docs/errors.md explains each reason of a refusal', () => {
  const reasons = [
    ...found(/\breason(?: =|:) '(\w+)'/g),
    // Functions that make a refusal; the reason is the last string in the call, or the only one.
    ...found(/\b(?:refused?|invalid\w*|malformed|unavailable)\((?:\s*['`][^'`]*['`],)?\s*'(\w+)'/g),
    ...found(/: '(\w+_failed)'/g),
  ]
  expect(reasons.length).toBeGreaterThan(70)
  expect(unexplained(reasons, section('errors.md', 'Reasons'))).toEqual([])
})

test('docs/operations.md explains each type of event', () => {
  const types = found(/readonly type: '([\w.-]+)'/g)
  expect(types.length).toBeGreaterThan(9)
  expect(unexplained(types, section('operations.md', 'Events'))).toEqual([])
})

test('docs/operations.md names each endpoint that an event can tell of', () => {
  const endpoints = found(/^ {4}name: '(\w+)',\n {4}path\b/gm)
  expect(endpoints.length).toBeGreaterThan(8)
  expect(unexplained(endpoints, section('operations.md', 'Events'))).toEqual([])
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
