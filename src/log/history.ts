import { BifoldError } from '../define/index.ts'
import { type Anchor, origin } from './log.ts'

/** What this process has seen of the log, and whether it still is so. */
export interface History {
  /** The furthest point of history seen. */
  known(): Anchor
  saw(anchor: Anchor): void
  /** The log was found to be another one: everything is refused from now on. */
  rewound(position: number): void
  /** @throws `log/rewound` once the log was found to be another one. */
  mustHold(): void
  isRewound(): boolean
}

export function makeHistory(onRewound: () => void): History {
  let known = origin
  let rewoundAt: number | undefined
  return {
    known: () => known,
    saw: anchor => {
      if (anchor.position > known.position) known = anchor
    },
    rewound: position => {
      if (rewoundAt !== undefined) return
      rewoundAt = position
      onRewound()
    },
    mustHold: () => {
      if (rewoundAt !== undefined) throw new BifoldError('log/rewound', { position: rewoundAt })
    },
    isRewound: () => rewoundAt !== undefined,
  }
}
