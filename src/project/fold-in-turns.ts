import type { Aside } from './aside.ts'
import type { Folding, Routed } from './fold.ts'
import type { Turns } from './turns.ts'

export interface FoldInTurnsContext {
  readonly folding: Pick<Folding, 'fold'>
  readonly aside: Aside
  readonly turns: Turns
}

/** Folds events in order. One that touches many keys is folded key by key, as all are: it may take as long as many events. */
export async function foldInTurns(
  routed: readonly Routed[],
  { folding, aside, turns }: FoldInTurnsContext,
): Promise<void> {
  const pieces = routed.some(({ slots }) => slots.length > 1)
    ? routed.flatMap(({ event, slots }) => slots.map(slot => ({ event, slots: [slot] })))
    : routed
  await turns.over('on', pieces, piece => folding.fold([piece], aside))
}
