import type { Anchor } from '../log/index.ts'
import type { WalkPoint } from './walk-dependents.ts'

/**
 * How far a shard has come with the rows that are made anew before its checkpoint may move to `to`. It stands in the
 * checkpoint, and holds as long as that does not move.
 */
export interface JoinCursor {
  readonly to: Anchor
  readonly last: WalkPoint
}

export function writeCursor({ to, last }: JoinCursor): string {
  return JSON.stringify([to.position, to.fingerprint, last.ref, last.tenant, last.of, last.key])
}

export function readCursor(text: string): JoinCursor {
  const [position, fingerprint, ref, tenant, of, key] = JSON.parse(text) as [
    number,
    ...[string, string, string, string, string],
  ]
  return { to: { position, fingerprint }, last: { ref, tenant, of, key } }
}
