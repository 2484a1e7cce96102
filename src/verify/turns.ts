import type { Runtime } from '../log/index.ts'

/** Rows looked at before everything else in the process has its turn. */
const turnRows = 2000

/** Is called for each row. Where it answers something, that is to be waited for. */
export function makeTurns({ turn }: Pick<Runtime, 'turn'>): () => Promise<void> | undefined {
  let looked = 0
  return () => (++looked % turnRows === 0 ? turn() : undefined)
}

/** The first `most` of what is added, in an order, however much it is. */
export function keepFirst<T>(
  most: number,
  compare: (a: T, b: T) => number,
): { add(one: T): void; all(): readonly T[] } {
  const kept: T[] = []
  const cut = (): void => {
    kept.sort(compare).splice(most)
  }
  return {
    add: one => {
      kept.push(one)
      if (kept.length > 2 * most + 100) cut()
    },
    all: () => {
      cut()
      return kept
    },
  }
}
