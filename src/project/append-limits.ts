/** Bounds of what an append does for projections that are committed with it: all other appends wait meanwhile. */
export interface AppendLimits {
  /**
   * Events that an append folds before its own into a view that is behind. A view with more to fold is left to the projector,
   * and appends go on without it. Default 500.
   */
  readonly appendGapEvents: number
  /** Positions that an append looks through for them. Default 10000. */
  readonly appendGapPositions: number
  /** How long an append waits for the checkpoint of a view that somebody else holds; then it goes on without it. Default 1000. */
  readonly appendHoldMs: number
}

export const defaultAppendLimits: AppendLimits = {
  appendGapEvents: 500,
  appendGapPositions: 10_000,
  appendHoldMs: 1000,
}
