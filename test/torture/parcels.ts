import { z } from 'zod'
import { aggregate, app, events, projection, query } from '../../src/index.ts'

/** Parcels that are moved between shelves that have names: a view with all three stages, and one of several keys an event. */

const ParcelEvents = events('parcel', {
  ParcelMoved: z.object({ from: z.string().nullable(), to: z.string(), weight: z.int(), isPoison: z.boolean() }),
  ParcelGone: z.object({ from: z.string(), weight: z.int() }),
})

const ShelfEvents = events('shelf', { ShelfNamed: z.object({ name: z.string() }) })

export const Shelf = aggregate(ShelfEvents, {
  initial: () => null,
  evolve: { ShelfNamed: () => null },
  commands: {
    NameShelf: { input: z.object({ name: z.string() }), decide: (_, { name }) => [ShelfEvents.ShelfNamed({ name })] },
  },
})

interface ParcelState {
  readonly shelf: string | null
  readonly weight: number
}

export const Parcel = aggregate(ParcelEvents, {
  initial: (): ParcelState => ({ shelf: null, weight: 0 }),
  evolve: {
    ParcelMoved: (_, { data }) => ({ shelf: data.to, weight: data.weight }),
    ParcelGone: () => ({ shelf: null, weight: 0 }),
  },
  commands: {
    MoveParcel: {
      input: z.object({ to: z.string(), weight: z.int(), isPoison: z.boolean() }),
      // A parcel keeps its weight, so that what leaves a shelf is what was put there.
      decide: ({ shelf, weight }, input) => [
        ParcelEvents.ParcelMoved({ ...input, from: shelf, weight: shelf === null ? input.weight : weight }),
      ],
    },
    RemoveParcel: {
      input: z.object({}),
      decide: ({ shelf, weight }) => (shelf === null ? [] : [ParcelEvents.ParcelGone({ from: shelf, weight })]),
    },
  },
})

/** The name of what cures: a process in whose environment it is set has a release in which folds bear poison. */
export const cure = 'DEPOT_IS_CURED'

/** What a process does when it folds an event: it changes nothing of what is folded. */
export const folding = { begun: (): void => undefined }

function taste(isPoison: boolean): void {
  folding.begun()
  if (isPoison && process.env[cure] === undefined) throw new Error('poisoned')
}

const ShelfNames = projection('shelf-names', {
  from: [ShelfEvents],
  shards: 2,
  state: z.object({ name: z.string(), names: z.int() }),
  on: { ShelfNamed: (row, e) => ({ name: e.data.name, names: (row?.names ?? 0) + 1 }) },
})

/**
 * What happened to a parcel, in order: an event too many, too few or out of turn shows. With the name of its shelf, and
 * summed up shelf by shelf.
 */
const Parcels = projection('parcels', {
  from: [ParcelEvents],
  shards: 4,
  state: z.object({ shelf: z.string(), weight: z.int(), moves: z.int(), path: z.array(z.string()) }),
  on: {
    ParcelMoved: (row, e) => {
      taste(e.data.isPoison)
      return {
        shelf: e.data.to,
        weight: e.data.weight,
        moves: (row?.moves ?? 0) + 1,
        path: [...(row?.path ?? []), e.data.to].slice(-5),
      }
    },
    ParcelGone: () => null,
  },
  refs: { shelf: { to: ShelfNames, key: parcel => parcel.shelf } },
  row: z.object({
    shelf: z.string(),
    shelfName: z.string(),
    weight: z.int(),
    moves: z.int(),
    path: z.array(z.string()),
  }),
  present: (parcel, { shelf }) => ({ ...parcel, shelfName: shelf === null ? 'none' : `${shelf.name} ${shelf.names}` }),
  rollups: {
    perShelf: {
      by: parcel => parcel.shelf,
      sum: parcel => ({ parcels: 1, weight: parcel.weight, moves: parcel.moves }),
    },
  },
})

/** What lies on a shelf. Both shelves of a move are touched, in whichever shards they are. */
const Shelves = projection('shelves', {
  from: [ParcelEvents],
  shards: 3,
  key: {
    ParcelMoved: e => [...new Set([e.data.from, e.data.to])].filter(shelf => shelf !== null),
    ParcelGone: e => e.data.from,
  },
  state: z.object({ parcels: z.int(), weight: z.int(), last: z.int() }),
  on: {
    ParcelMoved: (row, e, shelf) => {
      // Of the two shelves, one is poisoned: the other has the move.
      taste(e.data.isPoison && e.data.to === shelf)
      const change = (e.data.to === shelf ? 1 : 0) - (e.data.from === shelf ? 1 : 0)
      return shelfAfter(row, change, e.data.weight, e.position)
    },
    ParcelGone: (row, e) => shelfAfter(row, -1, e.data.weight, e.position),
  },
})

interface Shelf {
  readonly parcels: number
  readonly weight: number
  readonly last: number
}

function shelfAfter(shelf: Shelf | null, change: number, weight: number, last: number): Shelf | null {
  const parcels = (shelf?.parcels ?? 0) + change
  return parcels === 0 ? null : { parcels, weight: (shelf?.weight ?? 0) + change * weight, last }
}

export const parcelById = query('parcel-by-id', {
  from: Parcels,
  input: z.object({ id: z.string() }),
  get: ({ id }) => id,
})

export const shelfByName = query('shelf-by-name', {
  from: Shelves,
  input: z.object({ name: z.string() }),
  get: ({ name }) => name,
})

export const depot = app('depot', {
  aggregates: [Parcel, Shelf],
  projections: [ShelfNames, Parcels, Shelves],
  queries: [parcelById, shelfByName],
})
