import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { Account, Accounts, accountById, accountsByBalance, accountsByIds, bank } from '../../test/support/bank.ts'
import { createDispatcher, type Dispatcher } from '../command/index.ts'
import { app, BifoldError, query } from '../define/index.ts'
import { createLog, type EventLog, memoryLogStorage, origin, systemRuntime, tokenOf } from '../log/index.ts'
import { type Projector, shardOf, startProjector, type View, type ViewStore, viewShapeOf } from '../project/index.ts'
import { memoryViewStore } from '../stores/memory/index.ts'
import { type Asker, type AskerOptions, createAsker } from './index.ts'

const broken = query('broken', {
  from: Accounts,
  input: z.object({}),
  get: () => {
    throw new Error('no key')
  },
})
const keyless = query('keyless', { from: Accounts, input: z.object({}), get: () => undefined as unknown as string })
const indexless = query('indexless', { from: Accounts, input: z.object({}), list: () => ({ index: ['open'] }) })
const asked = app('asked', { ...bank, queries: [...bank.queries, broken, keyless, indexless] })

let log: EventLog
let store: ViewStore
let view: View
let command: Dispatcher
let projector: Projector | undefined
let askers: Asker[]

beforeEach(async () => {
  log = await createLog(memoryLogStorage(), { eventTypes: asked.eventTypes })
  store = memoryViewStore()
  view = await store.open(viewShapeOf(Accounts))
  command = createDispatcher({ app: asked, log, runtime: systemRuntime })
  projector = undefined
  askers = []
})

afterEach(async () => {
  for (const asker of askers) await asker.close()
  await projector?.stop()
  await log.close()
})

const carryOn = async (): Promise<void> => {
  projector = await startProjector({ app: asked, log, store })
}

function ask(options: Partial<AskerOptions> = {}): Asker {
  const views = new Map([['accounts', view]])
  const asker = createAsker({ app: asked, views, store, log, runtime: systemRuntime, ...options })
  askers.push(asker)
  return asker
}

async function errorOf(promise: Promise<unknown>): Promise<BifoldError> {
  const error = await promise.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (error instanceof BifoldError) return error
  throw new Error(`no error of the catalogue: ${String(error)}`)
}

const open = (id: string) => command.dispatch(Account, id, 'OpenAccount', { owner: 'Ada' })

describe('what is wrong is told by its code', () => {
  test.each<[string, string, string, unknown]>([
    ['a query that the app does not have', 'query/unknown', 'nothing', {}],
    ['an input that the schema does not take', 'query/invalid-input', 'account-by-id', { id: 1 }],
    ['a definition that throws', 'query/failed', 'broken', {}],
    ['a definition that gives no key', 'query/invalid-request', 'keyless', {}],
    ['an index that is not declared', 'query/invalid-request', 'indexless', {}],
    ['a key that no store holds', 'query/invalid-request', 'account-by-id', { id: 'a\u0000' }],
    ['too many keys', 'query/invalid-request', 'accounts-by-ids', { ids: Array.from({ length: 1001 }, String) }],
    ['too many rows', 'query/invalid-request', 'accounts-by-balance', { limit: 1001 }],
    ['a cursor that is none', 'query/invalid-cursor', 'accounts-by-balance', { cursor: 'x' }],
  ])('%s: %s', async (_, code, name, input) => {
    expect((await errorOf(ask().queryText(name, input))).code).toBe(code)
  })

  test('the issues of an input are given, without its values', async () => {
    const error = await errorOf(ask().queryText('account-by-id', { id: 12_345 }))
    expect(error.data).toMatchObject({ issues: [{ path: 'id' }] })
    expect(JSON.stringify(error.data) + error.message).not.toContain('12345')
  })

  test('a query that is a copy of one of the app', async () => {
    expect((await errorOf(ask().query({ ...accountById }, { id: 'a' }))).code).toBe('query/unknown')
  })

  test.each([-1, 60_001, Number.NaN])('a wait of %d ms', async waitMs => {
    expect((await errorOf(ask().query(accountById, { id: 'a' }, { waitMs }))).code).toBe('query/invalid-request')
  })

  test('a native query whose view is in another store', () => {
    const native = {
      ...accountById,
      name: 'native',
      ask: { verb: 'native', store: 'postgres', views: { accounts: Accounts }, run: async () => [] },
    } as const
    const withNative = app('native', { ...bank, queries: [native] })
    expect(() => ask({ app: withNative })).toThrow(expect.objectContaining({ code: 'query/wrong-store' }))
  })
})

describe('a token', () => {
  test('is waited for', async () => {
    const { query } = ask()
    const { token } = await open('a')
    const waiting = query(accountById, { id: 'a' }, { after: token })
    await carryOn()
    expect(await waiting).toMatchObject({ value: { owner: 'Ada', balance: 0, open: true }, asOf: 1, stale: false })
  })

  test('is answered when the store says that the view moved, not at the next poll', async () => {
    const { query } = ask({ pollMs: 60_000 })
    const { token } = await open('a')
    const waiting = query(accountById, { id: 'a' }, { after: token })
    // The first look at the view finds nothing yet.
    await systemRuntime.turn()
    await carryOn()
    expect(await waiting).toMatchObject({ asOf: 1, stale: false })
  })

  test('is waited for by thousands at once', async () => {
    const { query } = ask()
    const tokens = await Promise.all(Array.from({ length: 50 }, async (_, n) => (await open(`a-${n}`)).token))
    const waiting = Promise.all(
      Array.from({ length: 5000 }, (_, n) =>
        query(accountById, { id: `a-${n % 50}` }, { after: tokens[n % 50] ?? '' }),
      ),
    )
    await carryOn()
    expect((await waiting).every(({ value, stale }) => value !== null && !stale)).toBe(true)
  })

  test('of the beginning of the log is never waited for', async () => {
    const after = tokenOf(log.id, origin)
    expect(await ask().query(accountById, { id: 'a' }, { after })).toMatchObject({ value: null, asOf: 0, stale: false })
  })

  test('that is not reached in time is an error that says how far the view is', async () => {
    const { token } = await open('a')
    const error = await errorOf(ask().query(accountById, { id: 'a' }, { after: token, waitMs: 30 }))
    expect(error).toMatchObject({
      code: 'query/timeout',
      data: { query: 'account-by-id', projection: 'accounts', position: 1, reached: 0, waitedMs: 30 },
    })
    expect(error.data).not.toHaveProperty('failure')
  })

  test('that is not reached because the projection stands still is an error that says why', async () => {
    const { token } = await open('a')
    const { query } = ask({ failureOf: projection => `${projection}-broken` })
    const error = await errorOf(query(accountById, { id: 'a' }, { after: token, waitMs: 0 }))
    expect(error.data).toMatchObject({ failure: 'accounts-broken' })
    expect(error.message).toContain('accounts-broken')
  })

  test('that is not reached in time is answered stale, where the caller would have it', async () => {
    const { token } = await open('a')
    const options = { after: token, waitMs: 10, onTimeout: 'stale' } as const
    expect(await ask().query(accountById, { id: 'a' }, options)).toMatchObject({ value: null, asOf: 0, stale: true })
  })

  test('that is reached meanwhile is not stale', async () => {
    await carryOn()
    const { token } = await open('a')
    const options = { after: token, onTimeout: 'stale' } as const
    expect(await ask().query(accountById, { id: 'a' }, options)).toMatchObject({ asOf: 1, stale: false })
  })

  test.each([
    ['none', 'token/invalid', () => 'hello'],
    ['of another log', 'token/other-log', () => tokenOf('0-0', { position: 1, fingerprint: 'aaaaaaaaaaaa' })],
    [
      'of an event that is not there any more',
      'token/not-in-log',
      () => tokenOf(log.id, { position: 1, fingerprint: 'aaaaaaaaaaaa' }),
    ],
    [
      'of a position that the log has not reached',
      'token/not-in-log',
      () => tokenOf(log.id, { position: 9, fingerprint: 'aaaaaaaaaaaa' }),
    ],
  ])('that is %s is refused at once: %s', async (_, code, token) => {
    await open('a')
    const error = await errorOf(ask().query(accountById, { id: 'a' }, { after: token(), onTimeout: 'stale' }))
    expect(error.code).toBe(code)
  })

  test('that an earlier answer contained is not waited for', async () => {
    await carryOn()
    let looks = 0
    const counting: View = {
      ...view,
      checkpoints: async () => {
        looks++
        return view.checkpoints()
      },
    }
    const { query } = ask({ views: new Map([['accounts', counting]]) })
    const { token } = await open('a')
    while ((await query(accountById, { id: 'a' })).asOf < 1) await systemRuntime.turn()
    expect(await query(accountById, { id: 'a' }, { after: token })).toMatchObject({ asOf: 1, stale: false })
    expect(looks).toBe(0)
  })

  test('is asked of the log once, and again when the connection was lost', async () => {
    await carryOn()
    let asks = 0
    let reconnected = (): void => undefined
    const { query } = ask({
      log: {
        id: log.id,
        holds: anchor => {
          asks++
          return log.holds(anchor)
        },
        onReconnect: listener => {
          reconnected = listener
          return () => undefined
        },
      },
    })
    const { token } = await open('a')
    for (let count = 0; count < 3; count++) await query(accountById, { id: 'a' }, { after: token })
    expect(asks).toBe(1)
    reconnected()
    const { token: own } = await query(accountById, { id: 'a' }, { after: token })
    expect(asks).toBe(2)
    // The view has what it answered, and so has the log.
    reconnected()
    const { token: answered } = await query(accountById, { id: 'a' })
    expect(answered).toBe(own)
    await query(accountById, { id: 'a' }, { after: answered })
    expect(asks).toBe(2)
  })

  test('is not answered by a view that fell back behind it since it was seen', async () => {
    await carryOn()
    const { token } = await open('a')
    let fallen = false
    const falling: View = {
      ...view,
      checkpoints: async () => (fallen ? [{ shard: 0, position: 0, fingerprint: '', epoch: 9 }] : view.checkpoints()),
      get: async keys => (fallen ? { value: keys.map(() => null), asOf: origin, shards: [origin] } : view.get(keys)),
    }
    const { query } = ask({ views: new Map([['accounts', falling]]) })
    expect(await query(accountById, { id: 'a' }, { after: token })).toMatchObject({ asOf: 1 })
    fallen = true
    const error = await errorOf(query(accountById, { id: 'a' }, { after: token, waitMs: 30 }))
    expect(error).toMatchObject({ code: 'query/timeout', data: { reached: 0 } })
  })
})

test('a query by key waits for its own shard and is as of it, one of several rows or a list for all of them', async () => {
  const projected = { ...Accounts, shards: 3 }
  const [byId, byIds, byBalance] = [accountById, accountsByIds, accountsByBalance].map(known => ({
    ...known,
    from: projected,
  })) as [typeof accountById, typeof accountsByIds, typeof accountsByBalance]
  const sharded = app('sharded', { ...bank, projections: [projected], queries: [byId, byIds, byBalance] })
  const own = await store.open(viewShapeOf(projected))
  const { query } = ask({
    app: sharded,
    views: new Map([['accounts', own]]),
    failureOf: (_, shards) => `of ${shards?.join() ?? 'all'}`,
  })
  const inShard = (shard: number): string => {
    for (let n = 0; ; n++) if (shardOf({ tenant: 'default', key: `a-${n}` }, 3) === shard) return `a-${n}`
  }
  const { token } = await open(inShard(1))
  const to = { position: 1, fingerprint: 'aaaaaaaaaaaa' }
  const move = async (shard: number): Promise<void> => {
    const { epoch } = await own.claim(shard)
    await own.commit({ shard, epoch, from: origin, to, upserts: [], deletes: [] })
  }
  await move(1)
  await move(2)
  const late = { after: token, waitMs: 20 }
  expect(await query(byId, { id: inShard(1) }, late)).toMatchObject({ asOf: 1, stale: false })
  expect(await query(byIds, { ids: [inShard(2), inShard(1)] }, late)).toMatchObject({ asOf: 1, stale: false })
  const timedOut = async (answer: Promise<unknown>) => (await errorOf(answer)).data
  const data = { reached: 0, position: 1 }
  expect(await timedOut(query(byId, { id: inShard(0) }, late))).toMatchObject({ ...data, failure: 'of 0' })
  expect(await timedOut(query(byIds, { ids: [inShard(1), inShard(0)] }, late))).toMatchObject(data)
  expect(await timedOut(query(byIds, { ids: [] }, late))).toMatchObject(data)
  expect(await timedOut(query(byBalance, {}, late))).toMatchObject({ ...data, failure: 'of all' })
  expect(await query(byBalance, {}, { ...late, onTimeout: 'stale' })).toMatchObject({ asOf: 0, stale: true })
  await move(0)
  expect(await query(byBalance, {}, late)).toMatchObject({ asOf: 1 })
  expect(await query(byId, { id: inShard(0) }, late)).toMatchObject({ asOf: 1 })
})

test('rows of one tenant are not those of another', async () => {
  await carryOn()
  const { query } = ask()
  const { token } = await command.dispatch(Account, 'a', 'OpenAccount', { owner: 'Ada' }, { tenant: 'one' })
  const options = { after: token, tenant: 'one' }
  expect((await query(accountById, { id: 'a' }, options)).value).not.toBeNull()
  expect((await query(accountById, { id: 'a' }, { after: token })).value).toBeNull()
  expect((await query(accountsByIds, { ids: ['a'] }, { after: token })).value).toEqual([null])
  expect((await query(accountsByBalance, {}, { after: token })).value.rows).toEqual([])
})

test('a tenant that no stream can have is refused', async () => {
  const { query } = ask()
  for (const tenant of ['', 'a\u0000b', 'a\nb']) {
    await expect(query(accountById, { id: 'a' }, { tenant })).rejects.toMatchObject({ code: 'log/invalid-stream' })
  }
})

test('many is of one snapshot, however many keys', async () => {
  const asOfs: number[] = []
  const counting: View = {
    ...view,
    get: async keys => {
      asOfs.push(keys.length)
      return view.get(keys)
    },
  }
  const { query } = ask({ views: new Map([['accounts', counting]]) })
  await query(accountsByIds, { ids: Array.from({ length: 1000 }, String) })
  expect(asOfs).toEqual([1000])
})

test('text is made of the stored documents, to the byte', async () => {
  const docs = ['{"owner":"Ada","balance":1,"open":true}', '{ "balance" : 2, "open":true,"owner":"A" }']
  const { epoch } = await view.claim(0)
  await view.commit({
    shard: 0,
    epoch,
    from: origin,
    to: { position: 1, fingerprint: 'aaaaaaaaaaaa' },
    upserts: docs.map((doc, n) => ({ tenant: 'default', key: `a-${n}`, position: 1, row: JSON.parse(doc), doc })),
    deletes: [],
  })
  const { queryText } = ask()
  const textOf = async (name: string, input: unknown) => (await queryText(name, input)).value
  expect(await textOf('account-by-id', { id: 'a-1' })).toBe(docs[1])
  expect(await textOf('account-by-id', { id: 'none' })).toBe('null')
  expect(await textOf('accounts-by-ids', { ids: ['a-1', 'none', 'a-0'] })).toBe(`[${docs[1]},null,${docs[0]}]`)
  expect(await textOf('accounts-by-balance', {})).toBe(`{"rows":[${docs.join()}],"next":null}`)
  expect(await textOf('accounts-by-balance', { limit: 2 })).toBe(`{"rows":[${docs.join()}],"next":null}`)
  expect(await textOf('accounts-by-balance', { limit: 1 })).toMatch(/^\{"rows":\[\{.*\}\],"next":"[\w-]+"\}$/)
})

describe('a query side that is full or closing', () => {
  test('refuses more queries than it takes, those that wait included', async () => {
    const { query } = ask({ maxPending: 2 })
    const { token } = await open('a')
    const options = { after: token, waitMs: 20, onTimeout: 'stale' } as const
    const waiting = [1, 2].map(() => query(accountById, { id: 'a' }, options))
    expect((await errorOf(query(accountById, { id: 'a' }))).code).toBe('query/overloaded')
    await Promise.all(waiting)
    expect((await query(accountById, { id: 'a' })).value).toBeNull()
  })

  test('takes no more, ends those that wait, and finishes the others', async () => {
    const { query, close } = ask()
    const { token } = await open('a')
    const waiting = errorOf(query(accountById, { id: 'a' }, { after: token }))
    const reading = query(accountById, { id: 'a' })
    // The token is looked up before it is waited for.
    await systemRuntime.turn()
    const closing = close()
    expect((await errorOf(query(accountById, { id: 'a' }))).code).toBe('query/closed')
    await closing
    expect((await waiting).code).toBe('query/closed')
    expect((await reading).value).toBeNull()
  })
})
