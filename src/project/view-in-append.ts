import type { KnownLetters } from './aside.ts'
import type { Checkpoint, View, ViewCommit } from './store.ts'

/**
 * A generation of one shard within a transaction that appends to the log: for a store whose database is the log's too. What
 * is read is what this transaction would leave, and what is written is committed with it.
 */
export interface ViewInAppend extends Pick<View, 'load'> {
  /**
   * Holds the checkpoint until the transaction ends: meanwhile nobody else moves it, writes rows, or raises its epoch.
   * `undefined`: it was not to be had within `waitMs`, or there is no such generation any more.
   */
  hold(waitMs: number): Promise<HeldCheckpoint | undefined>
  /** As `View.commit`, with its answers, once the checkpoint is held. */
  commit(commit: ViewCommit): Promise<'committed' | 'fenced' | 'full'>
  /** The transaction is committed: tells those who wait for the view. */
  moved(): void
}

export interface HeldCheckpoint extends Checkpoint {
  /**
   * It is to be left to whoever carries the view on: the projection is paused, it is being loaded in bulk, or something is
   * asked for with its parked keys, for which its checkpoint has to stand still.
   */
  readonly isReserved: boolean
  readonly letters: KnownLetters
}
