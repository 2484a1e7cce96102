import type { Position } from '../define/index.ts'
import type { GenerationStatus, ProjectionStatus } from '../project/index.ts'

/** When a server is ready. */
export interface HealthOptions {
  /** A view that lacks more events than this makes the server not ready. Default 10000. */
  readonly maxBehindEvents?: number
  /** Are the views judged, or only told of? A server of commands alone needs none. Default true. */
  readonly judgeViews?: boolean
  /** How long the log may take to say where it stands. Default 2000. */
  readonly timeoutMs?: number
}

/** The body of `/health/ready`. */
export interface Health {
  readonly status: 'ready' | 'not-ready'
  /** Why it is not ready: `closing`, `log-unreachable`, `view-failed: order-summaries`, `view-building: …`, `view-behind: …`. */
  readonly reasons: readonly string[]
  readonly views: readonly ViewHealth[]
}

export interface ViewHealth {
  readonly projection: string
  readonly state: ProjectionStatus['state']
  readonly position: Position
  /** How many events of the log are not in the view yet. */
  readonly behind: number
  /** The code of what stopped it. The message stays inside: it may hold data. */
  readonly failure?: string
  /** How many keys stand still because their fold failed: for an operator, and no reason to send no requests. Absent: none. */
  readonly parkedKeys?: number
  /** Where there is more than one: which serves, and how far those are that are built or followed beside it. */
  readonly generations?: readonly Pick<GenerationStatus, 'generation' | 'version' | 'role' | 'behind'>[]
}

/** @param statuses `undefined`: the log did not answer. */
export function judge(
  statuses: readonly ProjectionStatus[] | undefined,
  closing: boolean,
  { maxBehindEvents = 10_000, judgeViews = true }: HealthOptions,
): Health {
  const views = (statuses ?? []).map(viewHealthOf)
  const newViews = (statuses ?? []).filter(isBeingBuilt).map(({ projection }) => `view-building: ${projection}`)
  const reasons = [
    ...(closing ? ['closing'] : []),
    ...(statuses === undefined ? ['log-unreachable'] : []),
    ...(judgeViews ? newViews : []),
    ...(judgeViews ? (statuses ?? []).flatMap(status => faultsOf(status, maxBehindEvents)) : []),
  ]
  return { status: reasons.length === 0 ? 'ready' : 'not-ready', reasons, views }
}

/** Events that a view may lack of which queries here read a generation that has never served. */
const maxBehindNewEvents = 1000

/** Queries here are answered from a generation that is new, and far from what is in the one that serves. */
function isBeingBuilt({ generations }: ProjectionStatus): boolean {
  return generations.some(({ answers, role, behind }) => answers && role === 'building' && behind > maxBehindNewEvents)
}

function viewHealthOf({
  projection,
  state,
  position,
  behind,
  failure,
  parkedKeys,
  generations: all,
}: ProjectionStatus): ViewHealth {
  const generations = all.map(({ generation, version, role, behind: lag }) => ({
    generation,
    version,
    role,
    behind: lag,
  }))
  return {
    ...{ projection, state, position, behind },
    ...(failure !== undefined && { failure: failure.code }),
    ...(parkedKeys !== undefined && { parkedKeys }),
    ...(generations.length > 1 && { generations }),
  }
}

/** A pause is no fault: somebody wants it, until too much is missing. Nor is waiting for a view that is paused or behind. */
const intended: readonly string[] = ['project/paused', 'project/waits-for-view']

/**
 * What is tried again is no fault at first: one event that cannot be folded is parked within so many attempts, and must not
 * take servers out of service meanwhile.
 */
const minAttempts = 3

function hasFailed({ failure }: ProjectionStatus): boolean {
  if (failure === undefined || intended.includes(failure.code)) return false
  return failure.retryInMs === undefined || failure.attempts >= minAttempts
}

function faultsOf(status: ProjectionStatus, maxBehindEvents: number): string[] {
  const { projection, state, behind } = status
  if (hasFailed(status)) return [`view-failed: ${projection}`]
  if (state === 'starting') return [`view-starting: ${projection}`]
  return behind > maxBehindEvents ? [`view-behind: ${projection}`] : []
}
