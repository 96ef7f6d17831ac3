// What Redis itself runs. Each operation is one script: nothing comes between its reading and its writing. A script
// touches the keys it is given and no others, all with the tag of one subject's partition, so all in one slot.
import { hash } from 'node:crypto'

/**
 * A read that a replica refuses: a server that is no primary any more may lag, or have stayed behind for good. GETEX
 * alone reads just as GET does, but counts as a write. What keeps a primary from writing lets it read. Any other refusal
 * counts: a user who may not use GETEX would never hear of a replica.
 */
const READ = `
local function isRefused(value)
  if type(value) ~= 'table' then return false end
  for _, reason in ipairs({ 'MISCONF', 'NOREPLICAS', 'WRONGTYPE' }) do
    if string.find(value.err, reason, 1, true) then return false end
  end
  return true
end

local function get(key)
  local value = redis.pcall('GETEX', key)
  if type(value) ~= 'table' or isRefused(value) then return value end
  return redis.pcall('GET', key)
end
`

/**
 * A grant is one value: an array in MessagePack, in the order of the names below. `inserted` is in milliseconds by the
 * server's clock, and what is counted from there takes fewer bytes: the times in `superseded`, newest first, in
 * milliseconds, `ends` in hundredths of a second. `moved` is in milliseconds since the newest of `superseded`, or since
 * `inserted` where there is none. `op` is false before the first move. Whatever else is found under a key is an error,
 * and never taken for a grant.
 */
const RECORD = `
local LINK, INSERTED, MOVED, ENDS, OP, SUPERSEDED, SUBJECT, CLIENT, DATA = 1, 2, 3, 4, 5, 6, 7, 8, 9

local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function isCount(value)
  return type(value) == 'number' and value >= 0 and value % 1 == 0
end

local function isRecord(value)
  if type(value) ~= 'table' or #value ~= DATA then return false end
  for field = LINK, ENDS do
    if not isCount(value[field]) then return false end
  end
  for field = SUBJECT, DATA do
    if type(value[field]) ~= 'string' then return false end
  end
  if value[OP] ~= false and type(value[OP]) ~= 'string' then return false end
  if type(value[SUPERSEDED]) ~= 'table' then return false end
  for _, time in pairs(value[SUPERSEDED]) do
    if not isCount(time) then return false end
  end
  return true
end

local function lastSuperseded(record)
  return record[SUPERSEDED][1] or 0
end

local function unpack(packed)
  local rest, record = cmsgpack.unpack_one(packed)
  if rest ~= -1 or not isRecord(record) then error('not a grant') end
  return record
end
`

/** KEYS: grant, index. Answers with the client's members of the index when they are more than `cap`. */
const INSERT = `
local link, expiresIn, endsIn = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local subject, client, data = ARGV[4], ARGV[5], ARGV[6]
local member, tag, cap = ARGV[7], ARGV[8], tonumber(ARGV[9])
local inserted = now()

-- First, because it fails before anything is written if the index is no sorted set.
redis.call('ZCARD', KEYS[2])

-- The first to write, because Redis refuses for want of memory only a script that has written nothing yet.
local packed = cmsgpack.pack({ link, inserted, 0, math.ceil(endsIn / 10), false, {}, subject, client, data })
if not redis.call('SET', KEYS[1], packed, 'NX', 'PX', math.min(expiresIn, endsIn)) then return {} end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', math.floor(inserted / 1000))

-- By seconds, not milliseconds: a smaller number to keep. The index lives as long as the last of its grants may.
redis.call('ZADD', KEYS[2], math.ceil((inserted + endsIn) / 1000), member)
redis.call('EXPIREAT', KEYS[2], redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')[2])

if redis.call('ZCARD', KEYS[2]) <= cap then return {} end
local crowd = {}
for _, other in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  if string.sub(other, -#tag) == tag then table.insert(crowd, other) end
end
return #crowd > cap and crowd or {}
`

/**
 * KEYS: grant. What cannot be read is an error, or, where it is one of many, an empty answer. The last of the answer is
 * no age, so that grants which are read one after the other can be put in order.
 */
const FIND = `
local isOneOfMany = ARGV[1] == '1'
local packed = get(KEYS[1])
if not packed or isRefused(packed) then return packed end
local isReadable, record = pcall(unpack, packed)
if not isReadable then return isOneOfMany and {} or error(record) end
local age = now() - record[INSERTED]
local function since(time) return math.max(0, age - time) end
local superseded = {}
for i, time in ipairs(record[SUPERSEDED]) do superseded[i] = since(time) end
return {
  record[LINK], since(0), since(lastSuperseded(record) + record[MOVED]), superseded,
  record[SUBJECT], record[CLIENT], record[DATA], record[INSERTED],
}
`

/** KEYS: grant. */
const ADVANCE = `
local from, to, op, expiresIn = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local packed = redis.call('GET', KEYS[1]) -- and no write, after which Redis would write on without memory
if not packed then return 0 end
local record = unpack(packed)
if record[OP] == op then return 1 end
if record[LINK] ~= from or to < from then return 0 end

-- After a failover the clock may be another one: never before the last move.
local moved = math.max(lastSuperseded(record) + record[MOVED], now() - record[INSERTED])
local superseded = record[SUPERSEDED]
for _ = 1, math.min(4, to - from) do table.insert(superseded, 1, moved) end
while #superseded > 4 do table.remove(superseded) end
record[LINK], record[MOVED], record[OP] = to, moved - lastSuperseded(record), op

local expires = math.min(10 * record[ENDS] - moved, math.max(redis.call('PTTL', KEYS[1]), expiresIn))
redis.call('SET', KEYS[1], cmsgpack.pack(record), 'PX', math.max(1, expires))
return 1
`

/** KEYS: grant, index. What has taken the place of the index, if anything has, must not keep the grant alive. */
const REVOKE = `
local removed = redis.call('DEL', KEYS[1])
redis.pcall('ZREM', KEYS[2], ARGV[1])
return removed
`

/** KEYS: grant, index. The same for one that is to make room: what has moved since it was looked at stays. */
const CROWD_OUT = `
local packed = redis.call('GET', KEYS[1])
if packed and unpack(packed)[LINK] ~= tonumber(ARGV[2]) then return 0 end
${REVOKE}`

/**
 * KEYS: a key that nobody uses. Whoever has this write has all that was written before. Deleting once more what is gone
 * writes nothing, and cannot be waited for.
 */
const TOUCH = `
redis.call('SET', KEYS[1], '')
redis.call('DEL', KEYS[1])
`

/** KEYS: index. Members and scores from a score on: as many as asked for, and besides all that share that first score. */
const PAGE = `
local from, count = ARGV[1], tonumber(ARGV[2])
-- No member is empty: nothing is removed, but a replica refuses.
local removed = redis.pcall('ZREM', KEYS[1], '')
if isRefused(removed) then return removed end
count = count + redis.call('ZCOUNT', KEYS[1], from, from)
return redis.call('ZRANGEBYSCORE', KEYS[1], from, '+inf', 'WITHSCORES', 'LIMIT', 0, count)
`

/** KEYS: index. */
const FORGET = `
for _, member in ipairs(ARGV) do redis.call('ZREM', KEYS[1], member) end
`

/** KEYS: the short-lived key. */
const PUT = `
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
return redis.call('GET', KEYS[1]) == ARGV[1] and 1 or 0
`

const GET = `return get(KEYS[1])`

const TAKE = `return redis.call('GETDEL', KEYS[1])`

export const SCRIPTS = {
  insert: script(RECORD + INSERT, 2),
  find: script(READ + RECORD + FIND, 1),
  advance: script(RECORD + ADVANCE, 1),
  revoke: script(REVOKE, 2),
  crowdOut: script(RECORD + CROWD_OUT, 2),
  touch: script(TOUCH, 1),
  page: script(READ + PAGE, 1),
  forget: script(FORGET, 1),
  put: script(PUT, 1),
  get: script(READ + GET, 1),
  take: script(TAKE, 1),
} as const

export type ScriptName = keyof typeof SCRIPTS

/** Redis keeps scripts by their hash. */
function script(lua: string, numberOfKeys: number) {
  return { lua, numberOfKeys, sha: hash('sha1', lua, 'hex') }
}
