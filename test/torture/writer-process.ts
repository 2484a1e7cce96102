import { setTimeout as sleep } from 'node:timers/promises'
import { isError } from '../../src/index.ts'
import { seeded } from '../../src/testing/seeded.ts'
import { openDepot } from './open-depot.ts'
import { Parcel, parcelById, Shelf, shelfByName } from './parcels.ts'

/**
 * `writer-process.ts URL NAME SEED`: sends commands and reads its own writes, from several callers, until it is told to
 * stop. Prints `heard {id, position, events}` for what was accepted, and `violation …` for what must never be.
 */
const [url = '', name = '', seed = '0'] = process.argv.slice(2)
const callers = 4
const parcels = 60
const shelves = 8
/** What a killed server, a cut connection or a view without a living process may answer. */
const expected = [
  'log/outcome-unknown',
  'log/connection-lost',
  'log/overloaded',
  'command/conflict',
  'project/store-unreachable',
  'query/timeout',
] as const

const random = seeded(Number(seed))
const system = await openDepot(url, { roles: { projections: false } })
let count = 0
let stopping = false
process.stdin.once('data', () => {
  stopping = true
})

/** Sends one command, under its id, until something is known of it, and then reads what it wrote. */
async function turn(commandId: string): Promise<void> {
  const id = `parcel-${Math.floor(random() * parcels)}`
  const isRemoval = random() < 0.15
  const to = `shelf-${Math.floor(random() * shelves)}`
  const send = () =>
    isRemoval
      ? system.dispatch(Parcel, id, 'RemoveParcel', {}, { commandId })
      : system.dispatch(
          Parcel,
          id,
          'MoveParcel',
          { to, weight: 1 + Math.floor(random() * 9), isPoison: random() < 0.01 },
          { commandId },
        )
  if (random() < 0.05) await nameShelf(to, commandId)
  const { position, token, repeated, events } = await tried(send)
  console.log(`heard ${JSON.stringify({ id: commandId, position, events: events.length })}`)
  const after = { after: token, waitMs: 20_000 }
  const own = await unlessParked(() => system.query(parcelById, { id }, after))
  const shelf = await unlessParked(() => system.query(shelfByName, { name: to }, after))
  for (const read of [own, shelf]) {
    if (read !== undefined && read.asOf < position) {
      console.log(`violation ${commandId} at ${position} was read as of ${read.asOf}`)
    }
  }
  if (own === undefined) return
  // Other callers may have moved it since, but not before.
  const isThere = own.value !== null && own.value.path.includes(to)
  const isUndisturbed = own.asOf === position && !repeated && events.length > 0
  if (isUndisturbed && isThere === isRemoval)
    console.log(`violation ${commandId} at ${position} is not in its own view`)
}

/** Names a shelf: all parcels on it follow. */
async function nameShelf(shelf: string, commandId: string): Promise<void> {
  const name = `named by ${commandId}`
  await tried(() => system.dispatch(Shelf, shelf, 'NameShelf', { name }, { commandId: `name-${commandId}` }))
}

/** What a query answers, or nothing where the row stands still. */
async function unlessParked<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await tried(ask)
  } catch (error) {
    if (!isError(error, 'query/parked')) throw error
    return undefined
  }
}

async function tried<T>(attempt: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (!expected.some(code => isError(error, code))) throw error
      await sleep(50)
    }
  }
}

console.log('started')
await Promise.all(
  Array.from({ length: callers }, async () => {
    while (!stopping) {
      await turn(`${name}-${count++}`)
      await sleep(random() * 10)
    }
  }),
)
await system.close()
console.log('stopped')
process.exit(0)
