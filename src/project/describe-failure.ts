import { BifoldError, isError } from '../define/index.ts'
import type { FoldFailure } from './keys-of.ts'
import type { Failure, ShardStatus } from './status.ts'

/** What a status says of an error. */
export type Described = Pick<Failure, 'code' | 'message' | 'event'>

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
  if (isError(error, 'project/batch-failed')) {
    const { first, type } = error.data
    return { code: error.code, message: error.message, event: { position: first, type } }
  }
  const { code, message } = codedFailure(projection, error)
  return { code, message }
}

/** What has no code comes from the store. */
export function codedFailure(projection: string, error: unknown): BifoldError {
  if (error instanceof BifoldError) return error
  const problem = error instanceof Error ? error.name : typeof error
  return new BifoldError('project/store-failed', { projection, problem }, { cause: error })
}

/** Why a paused projection stands still. */
export function pausedFailure(projection: string): Failure {
  const { code, message } = new BifoldError('project/paused', { projection })
  return { code, message, attempts: 0 }
}

/** Some event of a page cannot be read. */
export function isUnreadable(
  error: unknown,
): error is BifoldError<'log/undecodable-event'> | BifoldError<'log/unknown-event-type'> {
  return isError(error, 'log/undecodable-event') || isError(error, 'log/unknown-event-type')
}

/** The log or the store is away: that says nothing about the fold. */
export function isOutage(error: unknown): boolean {
  return isError(error, 'log/connection-lost') || isError(error, 'project/store-unreachable')
}

/** Why a view stands still whose rows are made with those of another one, which has not come so far. */
export function waitingFailure(projection: string, waitsFor: string): Failure {
  const { code, message } = new BifoldError('project/waits-for-view', { projection, waitsFor })
  return { code, message, attempts: 0 }
}

/** There is no key to park, or no room: the whole shard stands still. */
const stopping: readonly string[] = ['project/key-failed', 'project/invalid-key', 'project/dead-letters-full']

/** The state of a shard with this failure. */
export function stateWith({ code }: Pick<Failure, 'code'>): ShardStatus['state'] {
  if (code === 'project/paused') return 'paused'
  if (code === 'project/waits-for-view') return 'catching-up'
  return stopping.includes(code) ? 'stopped' : 'failed'
}
