import type { Position } from '../define/index.ts'
import type { ProjectionStatus } from '../project/index.ts'

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
  /** Why it is not ready: `closing`, `log-unreachable`, `view-failed: order-summaries`, `view-behind: …`. */
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
}

/** @param statuses `undefined`: the log did not answer. */
export function judge(
  statuses: readonly ProjectionStatus[] | undefined,
  closing: boolean,
  { maxBehindEvents = 10_000, judgeViews = true }: HealthOptions,
): Health {
  const views = (statuses ?? []).map(viewHealthOf)
  const reasons = [
    ...(closing ? ['closing'] : []),
    ...(statuses === undefined ? ['log-unreachable'] : []),
    ...(judgeViews ? views.flatMap(view => faultsOf(view, maxBehindEvents)) : []),
  ]
  return { status: reasons.length === 0 ? 'ready' : 'not-ready', reasons, views }
}

function viewHealthOf({ projection, state, position, behind, failure }: ProjectionStatus): ViewHealth {
  return { projection, state, position, behind, ...(failure !== undefined && { failure: failure.code }) }
}

/** A process that stands by while another one carries the projection on is no fault: the view is followed. */
const standsBy = 'project/superseded'

function faultsOf({ projection, state, behind, failure }: ViewHealth, maxBehindEvents: number): string[] {
  if (failure !== undefined && failure !== standsBy) return [`view-failed: ${projection}`]
  if (state === 'starting') return [`view-starting: ${projection}`]
  return behind > maxBehindEvents ? [`view-behind: ${projection}`] : []
}
