export interface JoinLimits {
  /** Rows referred to that may have changed within one batch: with more, it ends before. Default 1000. */
  readonly maxChangedRefs: number
  /** Rows that one commit makes anew because a row that they refer to changed. Default 1000. */
  readonly presentRows: number
  /** How often to look whether a view referred to has moved, beside the times that its store says so. Default 20. */
  readonly refPollMs: number
}

export const defaultJoinLimits: JoinLimits = { maxChangedRefs: 1000, presentRows: 1000, refPollMs: 20 }
