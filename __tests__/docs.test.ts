// What the pages in docs/ say of errors and events is complete.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

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
