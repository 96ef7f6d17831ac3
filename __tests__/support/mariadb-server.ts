import { join } from 'node:path'
import { createConnection } from 'mysql2/promise'
import { locate } from '../../scripts/requirements.mjs'
import { end, makeDirectory, onFreePort, removeDirectory, serve, unprivileged } from './server-process'

export interface MariadbServer {
  url: string
  /** Ends the server and removes its directory. May be called twice. */
  stop(): Promise<void>
}

/**
 * A real MariaDB on a free port of 127.0.0.1, with an empty database. It does not wait for disks. Without tables of
 * users to ask it lets everybody in, which spares it the programs that would make those.
 */
export async function startMariadb(): Promise<MariadbServer> {
  const user = unprivileged('mysql')
  const directory = makeDirectory('mariadb', user)
  const settings = {
    datadir: directory,
    tmpdir: directory,
    socket: join(directory, 'socket'),
    'pid-file': join(directory, 'pid'),
    'bind-address': '127.0.0.1',
    'innodb-flush-log-at-trx-commit': 0,
    'innodb-buffer-pool-size': '64M',
    'innodb-log-file-size': '16M',
  }
  const args = Object.entries(settings).map(([name, value]) => `--${name}=${value}`)
  try {
    const { server, url } = await onFreePort(async (port) => ({
      url: `mysql://root@127.0.0.1:${port}`,
      server: await serve(
        locate('mariadbd'),
        ['--no-defaults', '--skip-grant-tables', '--skip-networking=0', `--port=${port}`, ...args],
        { user, directory, ready: /ready for connections/, endBy: 'KILL' },
      ),
    }))
    const admin = await createConnection(url)
    await admin.query('CREATE DATABASE app')
    await admin.end()
    return {
      url: `${url}/app`,
      async stop() {
        await end(server, 'SIGKILL')
        removeDirectory(directory)
      },
    }
  } catch (error) {
    removeDirectory(directory)
    throw error
  }
}
