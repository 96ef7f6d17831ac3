// The programs that the tests need besides what npm installs. Run as a script, it makes sure they are there: as root on
// Debian or Ubuntu it installs what is missing, elsewhere it says how. Nothing is ever skipped for want of a program.
import { execFileSync } from 'node:child_process'
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { delimiter, dirname, isAbsolute, join } from 'node:path'
import { pathToFileURL } from 'node:url'

/**
 * @typedef {object} Requirement
 * @property {string} env environment variable that names the program to use instead
 * @property {string[]} programs names looked up on PATH, or absolute paths; the first one found is used
 * @property {string} debian the Debian package
 * @property {string} brew what Homebrew installs
 */

/** @satisfies {Record<string, Requirement>} */
const requirements = {
  'redis-server': {
    env: 'REDIS_SERVER',
    programs: ['redis-server'],
    debian: 'redis-server',
    brew: 'redis',
  },
  postgres: {
    env: 'POSTGRES',
    programs: [
      'postgres',
      ...versions('/usr/lib/postgresql').map((directory) => join(directory, 'bin/postgres')),
      '/opt/homebrew/opt/postgresql@17/bin/postgres',
      '/usr/local/opt/postgresql@17/bin/postgres',
    ],
    debian: 'postgresql',
    brew: 'postgresql@17',
  },
  mariadbd: {
    env: 'MARIADBD',
    programs: ['mariadbd', '/usr/sbin/mariadbd'],
    debian: 'mariadb-server-core',
    brew: 'mariadb',
  },
  chromium: {
    env: 'CHROMIUM',
    programs: [
      'chromium',
      'chromium-browser',
      'google-chrome',
      '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
      '/Applications/Chromium.app/Contents/MacOS/Chromium',
    ],
    debian: 'chromium',
    brew: 'chromium',
  },
}

/**
 * Debian keeps the programs of several versions side by side, and off PATH. The newest comes first.
 * @param {string} directory
 */
function versions(directory) {
  if (!existsSync(directory)) return []
  const names = readdirSync(directory).sort((a, b) => Number(b) - Number(a))
  return names.map((name) => join(directory, name))
}

/**
 * The absolute path of a required program.
 * @param {keyof typeof requirements} name
 */
export function locate(name) {
  const path = find(requirements[name])
  if (!path) throw new Error(`${name} is missing: run node scripts/requirements.mjs`)
  return path
}

/** @param {Requirement} requirement */
function find({ env, programs }) {
  const chosen = process.env[env]
  if (chosen) {
    const path = onPath(chosen)
    if (!path) throw new Error(`${env}=${chosen} is not a program`)
    return path
  }
  for (const program of programs) {
    const path = onPath(program)
    if (path) return path
  }
  return undefined
}

/** @param {string} program */
function onPath(program) {
  const directories = (process.env.PATH ?? '').split(delimiter).filter(isAbsolute)
  const candidates = isAbsolute(program)
    ? [program]
    : directories.map((directory) => join(directory, program))
  return candidates.find(isExecutable)
}

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

/** @param {string[]} packages */
function aptInstall(packages) {
  // Debian starts a service as soon as its package is installed, and PostgreSQL comes with a cluster to serve. The tests
  // start their own, so these would only hold the default ports. Exit code 101 of the first file says "do not start
  // anything". Where there is one already, it stays as it is.
  const manners = {
    '/usr/sbin/policy-rc.d': '#!/bin/sh\nexit 101\n',
    '/etc/postgresql-common/createcluster.d/none.conf': 'create_main_cluster = false\n',
  }
  const ours = Object.entries(manners).filter(([file]) => !existsSync(file))
  for (const [file, content] of ours) {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, content, { mode: 0o755 })
  }
  /** @param {string[]} args */
  const aptGet = (...args) =>
    execFileSync('apt-get', ['-qq', '-o', 'Acquire::Retries=3', '-o', 'Dpkg::Use-Pty=0', ...args], {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      stdio: ['ignore', 'inherit', 'inherit'],
    })
  try {
    aptGet('update')
    aptGet('install', '-y', '--no-install-recommends', ...packages)
  } finally {
    for (const [file] of ours) rmSync(file)
  }
}

/** @param {Requirement[]} missing */
function howToInstall(missing) {
  if (process.platform === 'darwin') return `brew install ${missing.map(({ brew }) => brew).join(' ')}`
  const packages = missing.map(({ debian }) => debian).join(' ')
  return `sudo apt-get update && sudo apt-get install -y --no-install-recommends ${packages}`
}

function main() {
  const stillMissing = () => Object.values(requirements).filter((requirement) => !find(requirement))
  if (stillMissing().length > 0 && process.getuid?.() === 0 && onPath('apt-get')) {
    const packages = stillMissing().map(({ debian }) => debian)
    console.log(`Installing what the tests need: ${packages.join(' ')}`)
    aptInstall(packages)
  }
  const missing = stillMissing()
  if (missing.length > 0) {
    console.error(howToInstall(missing))
    process.exitCode = 1
  }
}

// Not when a test imports `locate`.
if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    main()
  } catch (error) {
    console.error(/** @type {Error} */ (error).message)
    process.exitCode = 1
  }
}
