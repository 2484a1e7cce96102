import { BifoldError, isError } from '../define/index.ts'
import type { FoldFailure } from './fold.ts'
import type { ShardStatus } from './status.ts'

/** What a status says of an error. */
export type Described = Pick<NonNullable<ShardStatus['failure']>, 'code' | 'message' | 'event'>

/** A session ended at an event. */
export class Failed extends Error {
  readonly failure: FoldFailure
  constructor(failure: FoldFailure) {
    super(failure.error.code)
    this.failure = failure
  }
}

/** Says what went wrong, by code, and at which event. */
export function describeFailure(projection: string, error: unknown): Described {
  if (error instanceof Failed) {
    const { event, error: coded } = error.failure
    const { position, type, id } = event
    return { code: coded.code, message: coded.message, event: { position, type, id } }
  }
  if (isUnreadable(error)) {
    const { position, type } = error.data
    return { code: error.code, message: error.message, event: { position, type } }
  }
  if (error instanceof BifoldError) return { code: error.code, message: error.message }
  const problem = error instanceof Error ? error.name : typeof error
  const coded = new BifoldError('project/store-failed', { projection, problem }, { cause: error })
  return { code: coded.code, message: coded.message }
}

/** Some event of a page cannot be read. */
export function isUnreadable(
  error: unknown,
): error is BifoldError<'log/undecodable-event'> | BifoldError<'log/unknown-event-type'> {
  return isError(error, 'log/undecodable-event') || isError(error, 'log/unknown-event-type')
}
