// Does the packed package work for those who install it? For Express 4 and Express 5, an ES module and a CommonJS module
// (scripts/consumer) are type-checked as strictly as a user may do it, then run: they must end well and print no warning.
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const root = fileURLToPath(new URL('..', import.meta.url))
const directory = mkdtempSync(join(tmpdir(), 'check-package-'))

try {
  const packed = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', directory], {
    cwd: root,
  })
  const tarball = join(directory, JSON.parse(packed.stdout)[0].filename)
  await check('express4', tarball)
  await check('express', tarball)
} catch (error) {
  // What a failed program printed says more than our stack.
  const {
    message,
    stdout = '',
    stderr = '',
  } = /** @type {Error & { stdout?: string, stderr?: string }} */ (error)
  console.error([message, stdout, stderr].join('\n'))
  process.exitCode = 1
} finally {
  rmSync(directory, { recursive: true, force: true })
}

/**
 * @param {'express' | 'express4'} express the name under which this repository has that major installed
 * @param {string} tarball
 */
async function check(express, tarball) {
  const consumer = join(directory, express)
  mkdirSync(consumer)
  cpSync(join(root, 'scripts/consumer'), consumer, { recursive: true })
  writeJson(join(consumer, 'package.json'), {
    private: true,
    dependencies: {
      'express-token-endpoint': `file:${tarball}`,
      express: installedVersion(express),
      '@types/express': installedVersion(`@types/${express}`),
      '@types/node': installedVersion('@types/node'),
    },
  })
  writeJson(join(consumer, 'tsconfig.json'), {
    compilerOptions: {
      target: 'es2022',
      module: 'nodenext',
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: false,
      types: ['node'],
    },
    files: ['consumer.mts', 'consumer.cts'],
  })
  await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', '--no-package-lock'], {
    cwd: consumer,
  })
  await run(join(root, 'node_modules/.bin/tsc'), ['-p', '.'], { cwd: consumer })
  for (const file of ['consumer.mjs', 'consumer.cjs']) {
    const { stderr } = await run(process.execPath, [file], { cwd: consumer, timeout: 30_000 })
    if (stderr !== '') throw new Error(`${file} with ${express} printed on stderr:\n${stderr}`)
    console.log(`${file} with Express ${installedVersion(express)}: type-checked, ran without a warning`)
  }
}

/**
 * @param {string} file
 * @param {unknown} content
 */
function writeJson(file, content) {
  writeFileSync(file, JSON.stringify(content, null, 2))
}

/**
 * @param {string} name
 * @returns {string}
 */
function installedVersion(name) {
  return JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')).version
}
