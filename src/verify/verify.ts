import { type AnyProjection, BifoldError } from '../define/index.ts'
import { type Anchor, type Runtime, systemRuntime } from '../log/index.ts'
import { type ShardCheckpoint, type StoredRow, type View, viewShapeOf } from '../project/index.ts'
import { type Difference, differencesOf, makeRowsHash } from './compare.ts'
import { foldAside, rowBytes } from './fold-aside.ts'
import type { Verifiable } from './verifiable.ts'

export interface VerifyOptions {
  /** Differing rows that are given; all are counted. Default 100. */
  readonly maxDifferences?: number
  /**
   * Memory for the rows of the view, which are held twice: as they are stored and as the log makes them. Beyond it,
   * verifying ends with `verify/too-large`. Default 1 GiB.
   */
  readonly maxBytes?: number
  /** Events that are read and folded at once. Default 5000. */
  readonly batchEvents?: number
  readonly runtime?: Pick<Runtime, 'turn'>
}

/** What became of looking at a view. */
export type Verification = Verified & ({ readonly equal: true } | Different)

interface Verified {
  readonly projection: string
  readonly generation: number
  /** How many rows are stored. */
  readonly rows: number
  /** Of the stored rows: SHA-256, in hex. The same rows have the same hash in every store. */
  readonly hash: string
  /** Where each shard stood, in the order of their numbers: the view was compared with the log up to there. */
  readonly asOf: readonly (Anchor & { readonly shard: number })[]
}

interface Different {
  readonly equal: false
  /** How many rows differ. */
  readonly different: number
  /** The first of them, in the order of tenants and keys. */
  readonly differences: readonly Difference[]
}

/**
 * Is the view of `projection` what the log makes? Takes one snapshot of its rows and checkpoints, folds the log aside to
 * exactly these positions by the definition as it is now, and compares row by row, to the byte.
 *
 * Commands go on meanwhile, and so does the projection; an embedded database, which has one connection, does nothing else
 * while its rows are read, and none of what comes after.
 *
 * @param on a running system, or a log and a store of views.
 * @param projection which view, in the generation of its version, columns and shards; it is made, empty, where there is none.
 * @throws `verify/too-large` · `log/rewound` where the view was made from another history · `project/fold-failed`,
 * `project/invalid-row` or `project/invalid-key` where the definition as it is now fails on an event that is in the view.
 */
export async function verify(
  on: Verifiable,
  projection: AnyProjection,
  options: VerifyOptions = {},
): Promise<Verification> {
  const { maxDifferences = 100, maxBytes = 2 ** 30, batchEvents = 5000, runtime = systemRuntime } = options
  const shape = viewShapeOf(projection)
  const view = await on.views.open(shape)
  let bytes = 0
  const weigh = (more: number): void => {
    bytes += more
    if (bytes > maxBytes) {
      throw new BifoldError('verify/too-large', { projection: projection.name, limitBytes: maxBytes })
    }
  }
  const { checkpoints, rows, hash } = await readAll(view, weigh)
  const folded = await foldAside({ log: on.log, shape, checkpoints, batchEvents, runtime, weigh })
  const differences = await differencesOf(rows, folded, runtime)
  const verified: Verified = {
    projection: projection.name,
    generation: view.generation,
    rows: rows.length,
    hash,
    asOf: checkpoints.map(({ shard, position, fingerprint }) => ({ shard, position, fingerprint })),
  }
  if (differences.length === 0) return { ...verified, equal: true }
  const first = differences.slice(0, maxDifferences)
  return { ...verified, equal: false, different: differences.length, differences: first }
}

interface Stored {
  readonly checkpoints: readonly ShardCheckpoint[]
  readonly rows: readonly StoredRow[]
  readonly hash: string
}

/** The log is read only after the snapshot has ended: an embedded database would never come to it. */
function readAll(view: Pick<View, 'snapshot'>, weigh: (bytes: number) => void): Promise<Stored> {
  return view.snapshot(async ({ checkpoints, pages }) => {
    const rows: StoredRow[] = []
    const hash = makeRowsHash()
    for await (const page of pages) {
      for (const row of page) {
        weigh(rowBytes(row.key, row.doc))
        hash.add(row)
        rows.push(row)
      }
    }
    return { checkpoints, rows, hash: hash.digest() }
  })
}
