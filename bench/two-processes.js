// npm run two-processes: two server processes on one Redis beside one, on both cores, and whether one winner holds.
import { parseArgs } from 'node:util'
import { load } from './load.js'
import { percentile } from './measure.js'
import { measuredOn, writeSection } from './report.js'
import { openSetting, refreshTokens, scenarioNamed } from './setting.js'

const { values: given } = parseArgs({ options: { quick: { type: 'boolean', default: false } } })
const [repeats, seconds, codes] = given.quick ? [2, 0.5, 100] : [9, 1.5, 1000]
const both = { cores: '0,1' }

const rotate = scenarioNamed('es256-rotate')
const setting = await openSetting(rotate)
const servers = [await setting.start('ours', {}, both), await setting.start('ours', {}, both)]
const tokens = []
for (const server of servers) tokens.push(await refreshTokens(server, rotate, 128))
const run = (i) => load(servers[i], rotate, tokens[i], { seconds })
const rate = ({ requests, seconds: took }) => requests / took

await run(0)
await run(1)
const one = []
const two = []
for (let repeat = 0; repeat < repeats; repeat++) {
  one.push(rate(await run(repeat % 2)))
  const [first, second] = await Promise.all([run(0), run(1)])
  two.push(rate(first) + rate(second))
}

// Both get the same code at the same time, again and again.
const shared = await servers[0].issueCodes(Array.from({ length: codes }, (_, i) => `user-${i}`))
const code = { ...rotate, step: 'code' }
for (const presented of shared) {
  const attempts = servers.map((server) => load(server, code, [presented], { connections: 1 }))
  const outcomes = await Promise.allSettled(attempts)
  const lost = outcomes.filter(({ reason }) => /^answered with 400: .*"invalid_grant"/.test(reason?.message))
  const won = outcomes.filter(({ status }) => status === 'fulfilled')
  if (won.length !== 1 || lost.length !== 1) throw new Error(`${won.length} redeemed the same code`)
}

const [alone, together] = [percentile(one, 0.5), percentile(two, 0.5)]
const text = [
  `ES256, rotating: one process answers ${alone.toFixed(0)} requests/s, two answer ${together.toFixed(0)}`,
  `(${(together / alone).toFixed(2)} times), with Redis and the load on the same two cores. Of ${codes} codes that both`,
  'were given at once, each was redeemed by one, and refused to the other as `invalid_grant`.',
].join('\n')
console.log(text)
if (!given.quick) writeSection('two-processes', `${measuredOn(await setting.redis.version())}\n\n${text}`)
for (const server of servers) await server.stop()
await setting.stop()
