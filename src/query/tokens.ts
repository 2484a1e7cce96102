import { BifoldError } from '../define/index.ts'
import { type Anchor, anchorOf, type EventLog } from '../log/index.ts'

/** Reads tokens, and makes sure that what they stand for is in the log. */
export interface Tokens {
  /** @throws `token/invalid` · `token/other-log` · `token/not-in-log` */
  read(token: string): Promise<Anchor>
  /** A view has it: whoever comes back with its token need not ask the log again. */
  know(anchor: Anchor): void
  close(): void
}

/** @param maxKnown how many anchors are held of which it is known that they are in the log. */
export function createTokens(log: Pick<EventLog, 'id' | 'holds' | 'onReconnect'>, maxKnown = 10_000): Tokens {
  const known = new Map<number, string>()
  // The database behind a new connection may be an earlier one.
  const endReconnect = log.onReconnect(() => known.clear())
  const know = ({ position, fingerprint }: Anchor): void => {
    known.set(position, fingerprint)
    if (known.size <= maxKnown) return
    const oldest = known.keys().next()
    if (oldest.done !== true) known.delete(oldest.value)
  }
  return {
    read: async token => {
      const anchor = anchorOf(token, log.id)
      const { position, fingerprint } = anchor
      if (position === 0 || known.get(position) === fingerprint) return anchor
      if (!(await log.holds(anchor))) throw new BifoldError('token/not-in-log', { position })
      know(anchor)
      return anchor
    },
    know,
    close: endReconnect,
  }
}
