// The process that one server runs in: it starts servers/<name>.js, issues codes when told to, and measures itself.
// Started by start-server.js, which talks to it over IPC.
import { createPrivateKey } from 'node:crypto'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { monitorEventLoopDelay } from 'node:perf_hooks'

const [message] = await once(process, 'message')
const { start } = await import(`./servers/${message.server}.js`)
const { listener, path, issueCode, fill } = await start({
  ...message.options,
  privateKey: createPrivateKey(message.options.pem),
})

const server = createServer(listener)
server.keepAliveTimeout = 600_000
server.listen(0, '127.0.0.1')
await once(server, 'listening')
process.send({ port: server.address().port, path })

/**
 * CPU time of the whole process, its threads included, for each slice of so many requests. By requests and not by time: with
 * 32 in flight they come in waves, and a slice that ends in the middle of one counts what it did not do.
 */
let slice = 256
let slices = []
let finished = 0
let cpu = process.cpuUsage()
const delay = monitorEventLoopDelay({ resolution: 1 })

function onFinish() {
  if (++finished % slice > 0) return
  const { user, system } = process.cpuUsage(cpu)
  cpu = process.cpuUsage()
  slices.push((user + system) / slice)
}

const commands = {
  async issueCodes({ subjects }) {
    const codes = []
    while (subjects.length > 0) codes.push(...(await Promise.all(subjects.splice(0, 500).map(issueCode))))
    return codes
  },
  fill: ({ count }) => fill(count),
  live() {
    // More than once: what is found to be dead by one goes with the next.
    for (let i = 0; i < 4; i++) globalThis.gc()
    return process.memoryUsage().heapUsed
  },
  measure({ requests }) {
    slice = requests
    slices = []
    finished = 0
    cpu = process.cpuUsage()
    delay.reset()
    delay.enable()
    subscribe('http.server.response.finish', onFinish)
  },
  measured() {
    unsubscribe('http.server.response.finish', onFinish)
    delay.disable()
    return { slices, eventLoopDelayP99: delay.percentile(99) / 1e6 }
  },
}

process.on('message', async ({ command, ...given }) => {
  process.send({ result: await commands[command](given) })
})
process.on('disconnect', () => process.exit())
