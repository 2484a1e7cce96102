import type { MemoryTransaction } from '../../log/index.ts'
import type { Checkpoint, View, ViewCommit, ViewInAppend } from '../../project/index.ts'
import type { MemoryLetters } from './dead-letters.ts'

/** What an append has to know of a generation, and may do to it. */
export interface Appendable {
  checkpoint(): Checkpoint
  /** Counts what was done to it: whoever finds another number than before has read what is not so any more. */
  changes(): number
  isDropped(): boolean
  isPaused(): boolean
  isLoading(): boolean
  readonly dead: Pick<MemoryLetters, 'letters' | 'hasRoom'>
  readonly load: View['load']
  write(commit: ViewCommit): void
}

/**
 * A generation within a transaction of the log in memory. Nothing is locked: what has been read is looked at again when
 * the transaction is committed, and if somebody else has done something meanwhile, all of it begins again.
 */
export function viewInAppend(generation: Appendable, client: unknown): ViewInAppend {
  const { checks, writes } = client as MemoryTransaction
  const { dead, load } = generation
  return {
    hold: async () => {
      const seen = generation.changes()
      checks.push(() => generation.changes() === seen)
      if (generation.isDropped()) return undefined
      const isReserved = generation.isPaused() || generation.isLoading() || (await dead.letters.openRequests()) > 0
      return { ...generation.checkpoint(), isReserved, letters: await dead.letters.held(0) }
    },
    load,
    commit: async commit => {
      const { epoch, from, parking } = commit
      const at = generation.checkpoint()
      if (at.epoch !== epoch || at.position !== from.position || at.fingerprint !== from.fingerprint) return 'fenced'
      if (parking !== undefined && !dead.hasRoom(parking)) return 'full'
      writes.push(() => generation.write(commit))
      return 'committed'
    },
    moved: () => undefined,
  }
}
