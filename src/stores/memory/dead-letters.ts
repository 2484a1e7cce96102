import type { Position } from '../../define/index.ts'
import {
  compareText,
  type DeadLetters,
  isSameRequest,
  type Letter,
  type LetterRequest,
  type ListedKey,
  type ParkedKey,
  type Parking,
  type RowKey,
  rowId,
  type Skip,
  type Standing,
  shardOf,
} from '../../project/index.ts'

/** The dead letters of one generation, and what its view needs of them. */
export interface MemoryLetters {
  readonly letters: DeadLetters
  hasRoom(parking: Parking): boolean
  /** Writes, unless there are too many. Answers whether it has. */
  write(parking: Parking): boolean
  /** Which of these keys are parked, and the event at which each stands. */
  parkedOf(keys: readonly RowKey[]): readonly Letter[]
  all(): { readonly parked: readonly Standing[]; readonly skips: readonly Letter[] }
  countOf(shard: number): number
  skips(): readonly Skip[]
  /** Lets go of what is parked. Skips stay. */
  clear(): void
}

/** @param inherited skips that it begins with. */
export function memoryLetters(shards: number, inherited: readonly Skip[]): MemoryLetters {
  const parked = new Map<string, ParkedKey>()
  const waiting = new Map<string, Set<Position>>()
  const requests = new Map<string, LetterRequest>()
  const skips = new Map<string, Skip>(inherited.map(skip => [letterId(skip), skip]))
  const waitingOf = (key: RowKey): readonly Position[] => [...(waiting.get(rowId(key)) ?? [])].sort((a, b) => a - b)
  const listed = (key: ParkedKey): ListedKey => ({
    ...key,
    shard: shardOf(key, shards),
    events: waitingOf(key).length,
  })
  const isOf = (shard: number) => (key: RowKey) => shardOf(key, shards) === shard
  const inOrder = <T extends RowKey>(keys: Iterable<T>): readonly T[] => [...keys].sort(compareKeys)

  const allSkips = (): readonly Skip[] => [...skips.values()].sort(compareLetters)

  const letters: DeadLetters = {
    held: async shard => ({
      parked: inOrder(parked.values()).filter(isOf(shard)).map(letterOf),
      skips: [...skips.values()].filter(isOf(shard)).map(letterOf).sort(compareLetters),
    }),
    list: async ({ after, limit }) =>
      inOrder(parked.values())
        .filter(key => after === undefined || compareKeys(key, after) > 0)
        .slice(0, limit)
        .map(listed),
    find: async key => {
      const found = parked.get(rowId(key))
      return found && listed(found)
    },
    positions: async (key, after, limit) =>
      waitingOf(key)
        .filter(position => position > after)
        .slice(0, limit),
    request: async request => {
      if (request === 'retry-all') {
        for (const [id, key] of parked) {
          if (!requests.has(id)) requests.set(id, { ...letterOf(key), action: 'retry' })
        }
        return { keys: parked.size }
      }
      const id = rowId(request)
      if (!parked.has(id)) return { keys: 0 }
      const pending = requests.get(id) ?? request
      requests.set(id, pending)
      return isSameRequest(pending, request) ? { keys: 1 } : { keys: 0, pending }
    },
    requests: async (shard, limit) => inOrder(requests.values()).filter(isOf(shard)).slice(0, limit),
    openRequests: async key => (key === undefined ? requests.size : requests.has(rowId(key)) ? 1 : 0),
    skips: async key => allSkips().filter(skip => key === undefined || rowId(skip) === rowId(key)),
  }

  const goneOf = (drained: Parking['drained']): ReadonlyMap<string, Position> =>
    new Map(drained.map(letter => [rowId(letter), letter.position]))
  const hasRoom: MemoryLetters['hasRoom'] = ({ letters: added, drained, maxEvents }) => {
    const gone = goneOf(drained)
    const left = [...waiting].flatMap(([id, positions]) =>
      [...positions].filter(position => position > (gone.get(id) ?? 0)),
    )
    return added.length === 0 || left.length + added.length <= maxEvents
  }

  return {
    letters,
    hasRoom,
    write: parking => {
      if (!hasRoom(parking)) return false
      const { parked: standing, letters: added, drained, skipped, answered } = parking
      const gone = goneOf(drained)
      for (const [id, through] of gone) {
        for (const position of waiting.get(id) ?? []) if (position <= through) waiting.get(id)?.delete(position)
        if (standing.some(key => rowId(key) === id)) continue
        for (const map of [parked, waiting, requests]) map.delete(id)
      }
      for (const key of standing) parked.set(rowId(key), key)
      for (const letter of added) {
        const own = waiting.get(rowId(letter)) ?? new Set()
        waiting.set(rowId(letter), own.add(letter.position))
      }
      for (const skip of skipped) skips.set(letterId(skip), skip)
      for (const key of answered) requests.delete(rowId(key))
      return true
    },
    parkedOf: keys => keys.flatMap(key => parked.get(rowId(key)) ?? []).map(letterOf),
    all: () => ({
      parked: inOrder(parked.values()).map(standingOf),
      skips: [...skips.values()].map(letterOf).sort(compareLetters),
    }),
    countOf: shard => [...parked.values()].filter(isOf(shard)).length,
    skips: allSkips,
    clear: () => {
      for (const map of [parked, waiting, requests]) map.clear()
    },
  }
}

/** Each event once, for the reason that was given first. By tenant, key and position. */
export function firstReasons(skips: readonly Skip[]): readonly Skip[] {
  const first = new Map<string, Skip>()
  for (const skip of skips.toSorted((a, b) => compareText(a.at, b.at))) {
    if (!first.has(letterId(skip))) first.set(letterId(skip), skip)
  }
  return [...first.values()].sort(compareLetters)
}

const letterOf = ({ tenant, key, position }: Letter): Letter => ({ tenant, key, position })
const standingOf = ({ refsAt, ...key }: ParkedKey): Standing => ({
  ...letterOf(key),
  ...(refsAt !== undefined && { refsAt }),
})
const letterId = (letter: Letter): string => `${rowId(letter)}\u0000${letter.position}`
const compareKeys = (a: RowKey, b: RowKey): number => compareText(a.tenant, b.tenant) || compareText(a.key, b.key)
const compareLetters = (a: Letter, b: Letter): number => compareKeys(a, b) || a.position - b.position
