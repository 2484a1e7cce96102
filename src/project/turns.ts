import type { Runtime } from '../log/index.ts'

/** What of a projection has the process for itself: a part of its definition by the name it has there, or the writing of rows as text. */
export type TurnPart = 'key' | 'on' | 'refs' | 'present' | 'rollups' | 'rows'

/** Long work in pieces, between which everything else in the process has its turn. */
export interface Turns {
  /** Does `work` for each item, in order. */
  over<Item>(part: TurnPart, items: readonly Item[], work: (item: Item, n: number) => void): Promise<void>
}

export interface TurnsContext {
  readonly runtime: Pick<Runtime, 'turn' | 'elapsed'>
  /** Pieces done before everything else in the process has its turn. */
  readonly turnEvents: number
  /** Is told how long work has had the process for itself since it last gave way, and which part of it was the last. */
  readonly ran?: (tookMs: number, part: TurnPart) => void
}

/**
 * Lets those who give way go on one by one: however many shards a process carries on, between any two pieces of their work
 * everything else in it has its turn, which else would come only after a piece of each.
 */
export function oneByOne({ turn }: Pick<Runtime, 'turn'>): () => Promise<void> {
  let last = Promise.resolve()
  return () => {
    last = last.then(turn)
    return last
  }
}

/** Or when the work has taken so long: leases are to be renewed and queries answered, however slow it is. */
const turnMs = 20
/** What is done between two looks at the clock, which cost as much as a small fold. */
const maxStride = 16

/**
 * Gives way by count and by time: pieces are done a stride at a time, as many as are quick, one by one where they are slow.
 * What runs is added up from call to call, since what is awaited between them may be answered without anybody else's turn.
 */
export function makeTurns({ runtime, turnEvents, ran }: TurnsContext): Turns {
  const { elapsed } = runtime
  let done = 0
  let tookMs = 0

  return {
    over: async (part, items, work) => {
      let stride = 1
      for (let at = 0; at < items.length; ) {
        if (done >= turnEvents || tookMs >= turnMs) {
          done = 0
          tookMs = 0
          await runtime.turn()
        }
        const end = Math.min(at + stride, at + turnEvents - done, items.length)
        const begunAt = elapsed()
        try {
          for (; at < end; at++, done++) work(items[at] as (typeof items)[number], at)
        } finally {
          const strideMs = elapsed() - begunAt
          tookMs += strideMs
          stride = strideMs < turnMs / 10 ? Math.min(stride * 2, maxStride) : 1
          ran?.(tookMs, part)
        }
      }
    },
  }
}
