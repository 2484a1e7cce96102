import { expect, test } from 'vitest'
import { systemRuntime } from '../log/index.ts'
import { type KeyedRead, type RowKey, shardOf } from '../project/index.ts'
import { gather } from './gather.ts'

/** A view that answers when it is let go, and tells what it was asked. */
function heldView() {
  const asked: (readonly string[])[] = []
  const letGo: ((failure?: Error) => void)[] = []
  let position = 0
  const get = (keys: readonly RowKey[]): Promise<KeyedRead> => {
    asked.push(keys.map(({ key }) => key))
    return new Promise((resolve, reject) => {
      letGo.push(failure => {
        if (failure !== undefined) return reject(failure)
        position++
        const asOf = { position, fingerprint: '' }
        resolve({ value: keys.map(({ key }) => `doc ${key}`), asOf, shards: [asOf] })
      })
    })
  }
  return { asked, letGo, get }
}

const row = (key: string): RowKey => ({ tenant: 't', key })
const turn = systemRuntime.turn

test('look-ups of one turn are one statement, and each gets its own row', async () => {
  const { get, asked, letGo } = heldView()
  const gathered = gather(get, { runtime: systemRuntime })
  const answers = Promise.all([gathered([row('a')]), gathered([row('b'), row('c')]), gathered([])])
  await turn()
  letGo[0]?.()
  expect(asked).toEqual([['a', 'b', 'c']])
  expect((await answers).map(({ value }) => value)).toEqual([['doc a'], ['doc b', 'doc c'], []])
})

test('what comes while as many statements as may be are under way goes with the next', async () => {
  const { get, asked, letGo } = heldView()
  const gathered = gather(get, { runtime: systemRuntime, maxInFlight: 2 })
  const answers = []
  for (const key of ['a', 'b', 'c', 'd']) {
    answers.push(gathered([row(key)]))
    await turn()
  }
  expect(asked).toEqual([['a'], ['b']])
  letGo[0]?.()
  await turn()
  await turn()
  expect(asked).toEqual([['a'], ['b'], ['c', 'd']])
  letGo[1]?.()
  letGo[2]?.()
  expect((await Promise.all(answers)).map(({ value }) => value[0])).toEqual(['doc a', 'doc b', 'doc c', 'doc d'])
})

test('a statement has at most so many keys, and a look-up is never split', async () => {
  const { get, asked, letGo } = heldView()
  const gathered = gather(get, { runtime: systemRuntime, maxKeys: 3, maxInFlight: 9 })
  const answers = [['a', 'b'], ['c', 'd'], ['e'], ['f', 'g', 'h', 'i'], ['j']].map(keys => gathered(keys.map(row)))
  await turn()
  expect(asked).toEqual([['a', 'b'], ['c', 'd', 'e'], ['f', 'g', 'h', 'i'], ['j']])
  for (const go of letGo) go()
  expect((await Promise.all(answers)).map(({ value }) => value.length)).toEqual([2, 2, 1, 4, 1])
})

test('a statement that fails fails its own look-ups, and those after it go on', async () => {
  const { get, letGo } = heldView()
  const gathered = gather(get, { runtime: systemRuntime, maxInFlight: 1 })
  const failing = [gathered([row('a')]), gathered([row('b')])].map(answer => answer.catch((error: Error) => error))
  await turn()
  const next = gathered([row('c')])
  letGo[0]?.(new Error('gone'))
  expect((await Promise.all(failing)).map(String)).toEqual(['Error: gone', 'Error: gone'])
  await turn()
  await turn()
  letGo[1]?.()
  expect((await next).value).toEqual(['doc c'])
})

test('each look-up is as of the lowest of its own shards', async () => {
  const shards = [7, 3, 9].map(position => ({ position, fingerprint: `${position}` }))
  const gathered = gather(
    async keys => ({ value: keys.map(() => null), asOf: shards[1] as (typeof shards)[number], shards }),
    { runtime: systemRuntime },
  )
  const inShard = (shard: number): RowKey => {
    for (let n = 0; ; n++) if (shardOf(row(`k${n}`), 3) === shard) return row(`k${n}`)
  }
  const asked = [[inShard(0)], [inShard(1)], [inShard(2), inShard(0)], []]
  const answers = await Promise.all(asked.map(gathered))
  expect(answers.map(({ asOf }) => asOf.position)).toEqual([7, 3, 7, 3])
})

test("a look-up is told of its own parked keys, and of no other look-up's", async () => {
  const at = { position: 9, fingerprint: '9' }
  const parked = [
    { ...row('a'), position: 5 },
    { ...row('b'), position: 3 },
  ]
  const gathered = gather(async keys => ({ value: keys.map(() => null), asOf: at, shards: [at], parked }), {
    runtime: systemRuntime,
  })
  const answers = await Promise.all([[row('a')], [row('c')], [row('a'), row('c'), row('b')]].map(gathered))
  expect(answers.map(({ parkedAt }) => parkedAt)).toEqual([5, undefined, 3])
})
