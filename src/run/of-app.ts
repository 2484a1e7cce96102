import { type AnyProjection, type App, BifoldError } from '../define/index.ts'

/** What every operation looks at first: that the system is open, and that it is about a projection of the app. */
export interface Gate {
  readonly app: App
  readonly isClosed: () => boolean
}

/** A store that is closed would say something else of it. @throws `run/closed` */
export function mustBeOpen({ isClosed }: Pick<Gate, 'isClosed'>): void {
  if (isClosed()) throw new BifoldError('run/closed', {})
}

/** @throws `run/closed` · `run/unknown-projection` */
export function mustOperateOn(gate: Gate, projection: AnyProjection): void {
  mustBeOpen(gate)
  mustBeOfApp(gate.app, projection)
}

/** By identity, as queries are told: a copy, or one of another version, would be operated on by another definition. */
function mustBeOfApp(app: App, projection: AnyProjection): void {
  if (app.projections.includes(projection)) return
  throw new BifoldError('run/unknown-projection', { projection: nameOf(projection) })
}

/** Whoever is not held by types may pass anything, a name above all. */
function nameOf(passed: unknown): string {
  if (typeof passed === 'string') return passed
  const isNamed = typeof passed === 'object' && passed !== null && 'name' in passed
  return isNamed && typeof passed.name === 'string' ? passed.name : typeof passed
}
