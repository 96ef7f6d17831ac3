import { memoryStore } from '../../lib'
import { expectRefusal, fixture } from '../support/fixture'
import { type RedisServer, startRedis } from '../support/redis-server'

let redis: RedisServer

beforeAll(async () => {
  redis = await startRedis()
})

afterAll(() => redis.stop())

it.each([
  ['memory', memoryStore],
  ['Redis', () => redis.url],
])(
  'a user with as many grants in use as there may be can still sign in: the oldest ends (%s)',
  async (_kind, store) => {
    const server = fixture({ store: store() })
    const issued: string[] = []
    for (let i = 1; i <= 102; i++) {
      const exchanged = await server.exchange(await server.code())
      expect({ i, status: exchanged.status }).toEqual({ i, status: 200 })
      issued.push(exchanged.body.refresh_token)
    }

    for (const token of issued.slice(0, 2)) expectRefusal(await server.refresh(token), 400, 'invalid_grant')
    for (const token of issued.slice(2)) expect((await server.refresh(token)).status).toBe(200)
  },
)
