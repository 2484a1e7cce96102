import { z } from 'zod'
import { app, events, projection, type RecordedEvent } from '../define/index.ts'
import { defaultTenant, type EventLog, origin } from '../log/index.ts'
import { rowId } from './store.ts'

export const PersonEvents = events('person', { PersonNamed: z.object({ name: z.string() }), PersonGone: z.object({}) })
export const DepotEvents = events('depot', { DepotsMoved: z.object({ depots: z.array(z.string()), town: z.string() }) })
export const ParcelEvents = events('parcel', {
  ParcelSent: z.object({ from: z.string(), to: z.string().nullable(), depot: z.string() }),
  ParcelWeighed: z.object({ grams: z.int() }),
  ParcelReaddressed: z.object({ to: z.string().nullable() }),
  ParcelLost: z.object({}),
})

export interface ParcelsOptions {
  readonly version?: number
  readonly peopleShards?: number
  readonly parcelShards?: number
  /** Sees each name before it is folded. */
  readonly hear?: (name: string) => void
  /** Sees each row before it is made. */
  readonly guard?: (row: { readonly from: string | null }) => void
}

let names = 0

/** Parcels with the names of their senders and receivers, and the towns of their depots. */
export function parcels({ version = 1, peopleShards = 1, parcelShards = 1, hear, guard }: ParcelsOptions = {}) {
  const name = `parcels-${++names}`
  const People = projection(`${name}-people`, {
    from: [PersonEvents],
    shards: peopleShards,
    state: z.object({ name: z.string(), names: z.int() }),
    row: z.object({ name: z.string() }),
    on: {
      PersonNamed: (person, { data }) => {
        hear?.(data.name)
        return { name: data.name, names: (person?.names ?? 0) + 1 }
      },
      PersonGone: () => null,
    },
    present: ({ name: own }) => ({ name: own }),
  })
  /** An event may move several depots. */
  const Depots = projection(`${name}-depots`, {
    from: [DepotEvents],
    state: z.object({ town: z.string() }),
    key: { DepotsMoved: ({ data }) => data.depots },
    on: { DepotsMoved: (_, { data }) => ({ town: data.town }) },
  })
  const Parcels = projection(name, {
    from: [ParcelEvents],
    version,
    shards: parcelShards,
    state: z.object({ from: z.string(), to: z.string().nullable(), depot: z.string(), grams: z.int() }),
    on: {
      ParcelSent: (_, { data }) => ({ ...data, grams: 0 }),
      ParcelWeighed: (parcel, { data }) => parcel && { ...parcel, grams: data.grams },
      ParcelReaddressed: (parcel, { data }) => parcel && { ...parcel, to: data.to },
      ParcelLost: () => null,
    },
    refs: {
      from: { to: People, key: parcel => parcel.from },
      to: { to: People, key: parcel => parcel.to },
      depot: { to: Depots, key: parcel => parcel.depot },
    },
    row: z.object({
      grams: z.int(),
      from: z.string().nullable(),
      to: z.string().nullable(),
      town: z.string().nullable(),
    }),
    present: ({ grams }, { from, to, depot }) => {
      const row = { grams, from: from?.name ?? null, to: to?.name ?? null, town: depot?.town ?? null }
      guard?.(row)
      return row
    },
    rollups: {
      perTown: { by: row => row.town, sum: row => ({ parcels: 1, grams: row.grams }) },
      perSender: { by: row => row.from, sum: row => ({ parcels: row.to === null ? 0 : 1 }) },
    },
    indexes: [['grams']],
  })
  return { People, Depots, Parcels }
}
export type Parcels = ReturnType<typeof parcels>

export const post = ({ People, Depots, Parcels }: Parcels) =>
  app('post', {
    projections: [Parcels, Depots, People],
    events: [PersonEvents, DepotEvents, ParcelEvents],
  })

/** All events of a log. */
export async function eventsOf(log: EventLog): Promise<readonly RecordedEvent[]> {
  const all: RecordedEvent[] = []
  for (let at = origin; ; ) {
    const page = await log.read(at)
    all.push(...page.events)
    at = page.through
    if (page.atHead) return all
  }
}

interface Sent {
  readonly from: string
  to: string | null
  readonly depot: string
  grams: number
}

/** The rows of the parcels by the plainest fold there can be: documents by `rowId`. */
export function expectedParcels(all: readonly RecordedEvent[]): ReadonlyMap<string, string> {
  const people = new Map<string, string>()
  const towns = new Map<string, string>()
  const sent = new Map<string, Sent & { tenant: string }>()
  for (const { type, tenant, streamId, data } of all) {
    const id = rowId({ tenant, key: streamId })
    const given = data as { name: string; depots: string[]; town: string; grams: number; to: string | null }
    const parcel = sent.get(id)
    if (type === 'PersonNamed') people.set(id, given.name)
    if (type === 'PersonGone') people.delete(id)
    if (type === 'DepotsMoved') for (const depot of given.depots) towns.set(rowId({ tenant, key: depot }), given.town)
    if (type === 'ParcelSent') sent.set(id, { ...(data as Sent), grams: 0, tenant })
    if (type === 'ParcelWeighed' && parcel !== undefined) parcel.grams = given.grams
    if (type === 'ParcelReaddressed' && parcel !== undefined) parcel.to = given.to
    if (type === 'ParcelLost') sent.delete(id)
  }
  const rows = new Map<string, string>()
  for (const [id, { from, to, depot, grams, tenant }] of sent) {
    const nameOf = (key: string | null) => (key === null ? null : (people.get(rowId({ tenant, key })) ?? null))
    const town = towns.get(rowId({ tenant, key: depot })) ?? null
    rows.set(id, JSON.stringify({ grams, from: nameOf(from), to: nameOf(to), town }))
  }
  return rows
}

/** What the rows add up to, by the plainest counting. */
export function expectedSums(rows: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const sums = new Map<string, number>()
  const add = (id: string, value: number): void => {
    sums.set(id, (sums.get(id) ?? 0) + value)
  }
  for (const [id, doc] of rows) {
    const { grams, from, to, town } = JSON.parse(doc)
    const [tenant] = id.split('\u0000')
    if (town !== null) {
      add(`perTown,${tenant},${town},`, 1)
      add(`perTown,${tenant},${town},parcels`, 1)
      add(`perTown,${tenant},${town},grams`, grams)
    }
    if (from !== null) {
      add(`perSender,${tenant},${from},`, 1)
      add(`perSender,${tenant},${from},parcels`, to === null ? 0 : 1)
    }
  }
  return new Map(Array.from(sums, ([id, value]) => [id, String(value)]))
}

/** Appends something to the log that one random number each decides about. */
export async function appendSome(log: EventLog, count: number, random: () => number): Promise<void> {
  const pick = (most: number): number => Math.floor(random() * most)
  const person = (): string => `person-${pick(9)}`
  const depot = (): string => `depot-${pick(4)}`
  for (let n = 0; n < count; n++) {
    const tenant = random() < 0.2 ? 'other' : defaultTenant
    const parcel = `parcel-${pick(25)}`
    const kind = random()
    const [category, id, event] =
      kind < 0.25
        ? (['person', person(), PersonEvents.PersonNamed({ name: `name ${pick(50)}` })] as const)
        : kind < 0.3
          ? (['person', person(), PersonEvents.PersonGone({})] as const)
          : kind < 0.4
            ? ([
                'depot',
                'all',
                DepotEvents.DepotsMoved({ depots: [depot(), depot()], town: `town ${pick(9)}` }),
              ] as const)
            : kind < 0.6
              ? (['parcel', parcel, sentBy(person(), random() < 0.3 ? null : person(), depot())] as const)
              : kind < 0.8
                ? (['parcel', parcel, ParcelEvents.ParcelWeighed({ grams: pick(1000) })] as const)
                : kind < 0.95
                  ? ([
                      'parcel',
                      parcel,
                      ParcelEvents.ParcelReaddressed({ to: random() < 0.3 ? null : person() }),
                    ] as const)
                  : (['parcel', parcel, ParcelEvents.ParcelLost({})] as const)
    await log.append({ stream: { tenant, category, id }, expected: 'any', events: [event] })
  }
}

export const sentBy = (from: string, to: string | null, depot: string) => ParcelEvents.ParcelSent({ from, to, depot })
