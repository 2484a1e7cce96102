import type { Rollup } from '../../src/define/index.ts'
import type { AnyProjection } from '../../src/index.ts'
import { type RowKey, type ShardCheckpoint, type Snapshot, type StoredRow, shardOf } from '../../src/project/index.ts'
import { joinedDocs } from './judge-joined.ts'
import { isFragile } from './ledger.ts'
import { idOf, type Reference } from './reference.ts'

type Sum = Snapshot['sums'] extends AsyncIterable<readonly (infer S)[]> ? S : never

/** A generation as its store had it at one moment. */
export interface Captured extends Pick<Snapshot, 'checkpoints' | 'parked' | 'skips'> {
  readonly definition: AnyProjection
  readonly generation: number
  readonly rows: readonly StoredRow[]
  readonly sums: readonly Sum[]
  /** For each parked key, its events that wait. */
  readonly waiting: readonly (readonly number[])[]
  /** Where rows are made with those of another view: from where on it knows what they were. */
  readonly exactFrom: number
  readonly when: string
  /** Rows are written before the checkpoint. */
  readonly mayBeAhead: boolean
  /** It serves, and all has come to rest. */
  readonly isAtRest: boolean
}

/** Everything that is wrong with a generation: each shard is what the log makes of it up to where it stands. */
export function judgeView(captured: Captured, reference: Reference): readonly string[] {
  const { definition, generation, checkpoints, parked, skips, waiting, rows, sums } = captured
  const { name, shards, rollups } = definition
  const wrong: string[] = []
  const say = (what: string): number => wrong.push(`view ${name} ${generation} ${captured.when}: ${what}`)

  const standing = new Map(parked.map(key => [idOf(key), key]))
  const checkpointOf = (key: RowKey): ShardCheckpoint => checkpoints[shardOf(key, shards)]!
  const reachedOf = (key: RowKey): number => checkpointOf(key).position
  // A key may stand beyond the checkpoint, where a part of the next move is made; no event of its own is in between.
  const foldedTo = (key: RowKey): number =>
    Math.min(reachedOf(key), (standing.get(idOf(key))?.position ?? Number.POSITIVE_INFINITY) - 1)
  const expected = new Map(reference.states(foldedTo))
  const added = sumsOf(rollups, rows, shards)

  if (captured.isAtRest) {
    for (const { shard, position } of checkpoints) {
      if (position !== reference.head)
        say(`shard ${shard} stands at ${position}, and the log ends at ${reference.head}`)
    }
    for (const key of parked) say(`the key ${idOf(key)} is parked at ${key.position}`)
  }
  // A card may fail for the name that is on it.
  const mayFail = ({ key }: RowKey): boolean => isFragile(key) || name === 'cards'
  for (const key of parked) if (!mayFail(key)) say(`the key ${idOf(key)} is parked, and cannot fail`)
  for (const key of skips) if (!mayFail(key)) say(`an event of the key ${idOf(key)} is skipped, which cannot fail`)
  for (const [at, key] of parked.entries()) {
    const behind = reference.positionsOf(key).filter(position => position > key.position && position <= reachedOf(key))
    // One that was skipped before the key failed at an earlier one waits with the others, and is skipped again.
    const own = new Set(skips.filter(skip => idOf(skip) === idOf(key)).map(({ position }) => position))
    const [first, ...others] = waiting[at]!
    const found = others.filter(position => !own.has(position))
    // Where it stands there is an event of its own, or one that changed what it refers to.
    if (first !== key.position || behind.join() !== found.join())
      say(
        `of the parked key ${idOf(key)} at ${key.position} [${waiting[at]!.join()}] wait, and behind it [${behind.join()}] should`,
      )
  }
  const mayBeAhead = captured.mayBeAhead && !captured.isAtRest
  for (const { tenant, key, position, doc, state = doc, differing } of rows) {
    const id = idOf({ tenant, key })
    if (mayBeAhead && position > foldedTo({ tenant, key })) {
      expected.delete(id)
      const right = reference.stateAt({ tenant, key }, position)
      // What is skipped is known when the checkpoint moves.
      if (right !== state && !isFragile(key))
        say(`the row ${id} of ${position} is of the state ${state}, and should be of ${right}`)
      continue
    }
    const right = expected.get(id)
    expected.delete(id)
    if (right === undefined) say(`the row ${id} should not be: ${doc}`)
    else if (right.doc !== state) say(`the row ${id} is of the state ${state}, and should be of ${right.doc}`)
    else if (right.position !== position) say(`the row ${id} is of ${position}, and should be of ${right.position}`)
    if (right?.doc === state) {
      const parkedAt = standing.get(id)
      const at = {
        checkpoint: checkpointOf({ tenant, key }),
        exactFrom: captured.exactFrom,
        ...(parkedAt && { standing: parkedAt }),
      }
      const exact = joinedDocs({ tenant, key }, state, at, reference)
      const later = mayBeAhead ? reference.rowsFrom({ tenant, key }, state, foldedTo({ tenant, key })) : []
      const docs = captured.isAtRest ? exact : [...exact, ...later, ...reference.rowsHeld({ tenant, key }, state)]
      if (!docs.includes(doc)) say(`the row ${id} is ${doc}, and should be ${[...new Set(docs)].join(' or ')}`)
    }
    if (differing.length > 0) say(`the row ${id} has other columns than its document: ${differing.join()}`)
  }
  for (const [id, { doc }] of expected) {
    const [tenant, key] = JSON.parse(id) as [string, string]
    const isGone = reference.rowsSince({ tenant, key }, foldedTo({ tenant, key })).includes(null) || isFragile(key)
    if (!mayBeAhead || !isGone) say(`the row ${id} is missing: ${doc}`)
  }
  for (const { rollup, tenant, group, sum, shard, rows: counted, value } of sums) {
    const id = JSON.stringify([rollup, tenant, group, sum, shard])
    const right = added.get(id) ?? { rows: 0, value: 0 }
    added.delete(id)
    if (counted !== right.rows || Number(value) !== right.value)
      say(`the sum ${id} is ${value} of ${counted} rows, and should be ${right.value} of ${right.rows}`)
  }
  for (const [id, { value }] of added) say(`the sum ${id} is missing: ${value}`)
  return wrong
}

/** What rows add up to: by rollup, tenant, group, name and shard. Under the name '' groups count their rows. */
function sumsOf(
  rollups: AnyProjection['rollups'],
  rows: readonly StoredRow[],
  shards: number,
): Map<string, { rows: number; value: number }> {
  const sums = new Map<string, { rows: number; value: number }>()
  for (const [rollup, { by, sum }] of Object.entries(rollups as Readonly<Record<string, Rollup>>)) {
    for (const { tenant, key, doc } of rows) {
      const row: unknown = JSON.parse(doc)
      const group = by(row)
      if (group === null) continue
      for (const [name, value] of Object.entries({ '': 0, ...sum(row) })) {
        const sumId = JSON.stringify([rollup, tenant, group, name, shardOf({ tenant, key }, shards)])
        const before = sums.get(sumId) ?? { rows: 0, value: 0 }
        sums.set(sumId, { rows: before.rows + 1, value: before.value + value })
      }
    }
  }
  return sums
}
