import { type Answer, run, type System } from 'bifold'
import { isError } from 'bifold/define'
import { tokenOf } from 'bifold/log'
import { postgres } from 'bifold/postgres'
import type { Client } from 'pg'
import type { Bench } from './bench.ts'
import { fillWith } from './copy.ts'
import { makeDatabase } from './database.ts'
import { type Figure, figureOf, median, percentile } from './figure.ts'
import { pacedWhile, perSecond } from './paced.ts'
import { CustomerEvents, large, OrderEvents, orderOf, otherOf, placedBy, tradeApp, tradeOf } from './trade.ts'
import { reached } from './views.ts'

/** Customers with about ten orders that are renamed, one after the other, for what that takes. */
const smallRenames = 50

/** What everybody else notices while all orders of one customer are made anew, since she is called otherwise. */
export const rename: Bench = {
  about: 'a customer with a million orders is renamed: what others notice meanwhile',
  run: async ({ serverUrl, quick, say }) => {
    const orders = quick ? 100_000 : 1_000_000
    const rounds = quick ? 1 : 3
    const seconds = quick ? 10 : 30
    const database = await makeDatabase(serverUrl)
    const { client, url } = database
    try {
      say(`a log of ${orders.toLocaleString('en-US')} orders of one customer, and those of others`)
      const head = await fillWith(client, tradeOf(orders))
      await client.query('vacuum analyze bifold.events')
      const trade = tradeApp()
      const system = await run(trade.app, { on: postgres({ url }) })
      try {
        await reached(system, head)
        await copyOrders(client)
        const load = makeLoad(system, trade)
        say('warming up')
        await load(forSeconds(quick ? 2 : 10))
        const taken: Round[] = []
        for (let round = 1; round <= rounds; round++) {
          say(`round ${round} of ${rounds}`)
          const alone = await load(forSeconds(seconds))
          const rename = (customer: string) => renamed(system, trade, customer, `Renamed ${round}`)
          const during = await whileIt(load, () => rename(large))
          const small = await whileIt(load, () => oneByOne(smallRenames, n => rename(otherOf(n))))
          const updated = await whileIt(load, () => updateOrders(client, `Renamed ${round}`))
          taken.push({ alone, during, updated, visibleMs: during.was, smallMs: small.was, updateMs: updated.was })
          await client.query('vacuum analyze bifold_views.orders__g1, plain_orders')
        }
        return figuresOf(taken, orders)
      } finally {
        await system.close()
      }
    } finally {
      await database.drop()
    }
  },
}

/** Milliseconds of each sample. */
interface Sampled {
  readonly append: readonly number[]
  /** From the append's answer until a query with its token answered, of another projection, and of the other shard. */
  readonly projection: readonly number[]
  readonly shard: readonly number[]
  /** A query without a token, of an order that is made anew. */
  readonly plain: readonly number[]
}

interface Round {
  readonly alone: Sampled
  readonly during: Sampled
  /** While PostgreSQL updates the same rows of a table of its own, in one statement. */
  readonly updated: Sampled
  /** From the answer to the renaming until a query with its token answered: of the large customer, and of another one. */
  readonly visibleMs: number
  readonly smallMs: number
  readonly updateMs: number
}

function figuresOf(rounds: readonly Round[], orders: number): readonly Figure[] {
  const of = (value: (round: Round) => number): number => median(rounds.map(value))
  const meanwhile = (name: string, part: keyof Sampled, reference: 'alone' | 'updated' = 'alone'): Figure =>
    figureOf(
      `${name}, p99`,
      of(({ during }) => percentile(during[part], 0.99)),
      'ms',
      reference === 'alone' ? 'the same without a rename' : `the same during one \`update\` of the same rows`,
      of(round => percentile(round[reference][part], 0.99)),
    )
  return [
    meanwhile('append during a rename', 'append'),
    meanwhile('append during a rename', 'append', 'updated'),
    meanwhile('lag in another projection', 'projection'),
    meanwhile('lag in a shard with none of the orders', 'shard'),
    meanwhile('query of one of the orders without a token', 'plain'),
    figureOf(
      'rename to visible in the shard with the orders',
      of(({ visibleMs }) => visibleMs),
      'ms',
      'rename of a customer with about ten orders',
      of(({ smallMs }) => smallMs),
    ),
    figureOf(
      'orders made anew',
      of(({ visibleMs }) => orders / (visibleMs / 1000)),
      'rows/s',
      'one `update` of the same rows',
      of(({ updateMs }) => orders / (updateMs / 1000)),
    ),
  ]
}

type Trade = ReturnType<typeof tradeApp>
type Load = (goesOn: (n: number) => boolean) => Promise<Sampled>

const forSeconds =
  (seconds: number): ((n: number) => boolean) =>
  n =>
    n < seconds * perSecond

/** Orders of other customers, so many a second, by turns in either shard, and a look at what becomes of each. */
function makeLoad({ log, query }: System, { order, spent }: Trade): Load {
  let placed = 10 ** 7
  return async goesOn => {
    const [append, projection, shard, plain]: number[][] = [[], [], [], []]
    await pacedWhile(goesOn, async n => {
      const number = placed++
      const isOther = n % 2 === 1
      const orderId = orderOf(isOther ? 1 : 0, number)
      const customerId = otherOf(number)
      const stream = { tenant: 'default', category: 'order', id: orderId }
      const begin = performance.now()
      const outcome = await log.append({
        ...{ stream, expected: 0, events: [OrderEvents.OrderPlaced(placedBy(customerId, number))] },
      })
      const answered = performance.now()
      append?.push(answered - begin)
      if (outcome.kind !== 'appended') throw new Error(`an append ended as ${outcome.kind}`)
      const after = tokenOf(log.id, outcome.head)
      const timed = async (times: number[] | undefined, asked: Promise<Answer<unknown>>): Promise<void> => {
        await asked
        times?.push(performance.now() - answered)
      }
      await Promise.all([
        timed(projection, query(spent, { customerId }, { after })),
        isOther
          ? timed(shard, query(order, { orderId }, { after }))
          : timed(plain, query(order, { orderId: orderOf(0, n) })),
      ])
    })
    return { append, projection, shard, plain } as Sampled
  }
}

/** Samples what others notice, from the beginning of `work` to its end. Answers what it answered, too. */
async function whileIt(load: Load, work: () => Promise<number>): Promise<Sampled & { readonly was: number }> {
  let going = true
  const done = work().finally(() => {
    going = false
  })
  const [was, sampled] = await Promise.all([done, load(() => going)])
  return { ...sampled, was }
}

/** The median of what so many take, one after the other. */
async function oneByOne(many: number, take: (n: number) => Promise<number>): Promise<number> {
  const taken: number[] = []
  for (let n = 0; n < many; n++) taken.push(await take(n))
  return median(taken)
}

/** Milliseconds from the answer to the renaming until one of the customer's orders was answered with its token. */
async function renamed({ log, query }: System, { order }: Trade, customer: string, name: string): Promise<number> {
  const stream = { tenant: 'default', category: 'customer', id: customer }
  const outcome = await log.append({ stream, expected: 'any', events: [CustomerEvents.CustomerRenamed({ name })] })
  const begin = performance.now()
  if (outcome.kind !== 'appended') throw new Error(`an append ended as ${outcome.kind}`)
  const after = tokenOf(log.id, outcome.head)
  for (;;) {
    try {
      await query(order, { orderId: orderOf(0, 0) }, { after, waitMs: 60_000 })
      return performance.now() - begin
    } catch (error) {
      if (!isError(error, 'query/timeout')) throw error
    }
  }
}

/** The table of the orders' rows once more, with its indexes, for PostgreSQL alone. */
async function copyOrders(client: Client): Promise<void> {
  await client.query('create table plain_orders (like bifold_views.orders__g1 including all)')
  await client.query('alter table plain_orders set (fillfactor = 80)')
  await client.query('insert into plain_orders select * from bifold_views.orders__g1')
  await client.query('vacuum analyze plain_orders, bifold_views.orders__g1')
}

async function updateOrders(client: Client, name: string): Promise<number> {
  const begin = performance.now()
  await client.query(
    `update plain_orders
        set customer = $1,
            _doc = json_build_object('customer', $1::text, 'total', total, 'reference', reference)
      where _tenant = 'default' and _ref_customer = $2`,
    [name, large],
  )
  return performance.now() - begin
}
