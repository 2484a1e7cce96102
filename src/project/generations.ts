import type { Column, Position } from '../define/index.ts'
import type { GenerationRef } from './leases.ts'
import type { ShardCheckpoint } from './store.ts'

/** One of the generations that a store keeps of a projection. */
export interface Generation {
  readonly generation: number
  readonly version: number
  readonly shards: number
  readonly columns: readonly Column[]
  /** `ViewShape.definition` and `ViewShape.rowShape` of the process that made it. */
  readonly definition: string
  readonly rowShape: string
  /** `ViewShape.sums` of the process that made it. */
  readonly sums: Readonly<Record<string, string>>
  /** Where its rows are apart: in which store of rows, by its kind. */
  readonly apart?: string
  /** Does it serve? One of a projection's generations does, always. */
  readonly active: boolean
  /** Has it ever served? One that never has is being built, until it does or is dropped. */
  readonly served: boolean
  /** Did somebody swap away from it by hand? It does not come back by itself while the one that serves is followed. */
  readonly setAside: boolean
  /** Is there a living process of its definition? */
  readonly followed: boolean
  /** Are rows of another view made with its rows? */
  readonly referredTo: boolean
  /** With the rows of which generations its own are made: one of each view that it refers to, once it is carried on. */
  readonly refersTo: readonly GenerationRef[]
  /** How many of its keys are parked. */
  readonly parked: number
  /** Where each shard stands, in their order. */
  readonly checkpoints: readonly ShardCheckpoint[]
  /** The shards that are being loaded in bulk: their rows are in some process's memory. Indexes are made after the last. */
  readonly loads: readonly ShardLoad[]
}

/** How far a bulk load has got. */
export interface LoadProgress {
  /** Everything up to here is folded. */
  readonly position: Position
  /** Up to where the load goes. */
  readonly goal: Position
  /** Positions of the log a second. */
  readonly perSecond: number
}

export interface ShardLoad extends LoadProgress {
  readonly shard: number
}

export interface ActivateOptions {
  /** May more of its keys be parked than of the one that serves? Default true: whoever asks knows. */
  readonly withParked?: boolean
  /** Did somebody ask for it? Then the one that serves now is set aside. Default true. */
  readonly byHand?: boolean
}

/**
 * What became of a swap. `behind`: the generation may serve once all of its shards have reached `position`, and its
 * lowest has `reached` so much. `loading`: not all of its shards are loaded, or its indexes are being made. `unknown`:
 * there is no such generation, or it was dropped. `parked`: it was not to serve with more parked keys than the other has.
 */
export type Activation =
  | { readonly kind: 'activated' | 'loading' | 'parked' | 'unknown' }
  | { readonly kind: 'behind'; readonly position: Position; readonly reached: Position }

/**
 * What became of dropping a generation. `active`: it serves. `in-use`: objects that are not of this store stand on its
 * rows, or rows of another view are made with them. `unknown`: there is no such generation any more.
 */
export type Dropping = 'dropped' | 'active' | 'in-use' | 'unknown'
