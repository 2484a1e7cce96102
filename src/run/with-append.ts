import { type AnyProjection, type App, BifoldError } from '../define/index.ts'
import type { Runtime } from '../log/index.ts'
import { type Backend, makeWithAppend, type ProjectorSettings, type WithAppend } from '../project/index.ts'

/** The projections of an app whose rows are committed with the appends. */
export function committedWithAppends({ projections }: App): readonly AnyProjection[] {
  return projections.filter(({ commit }) => commit === 'with-append')
}

/**
 * What writes along with the appends of a process; `undefined` where the app has no projection for it.
 * @throws `project/not-one-database` where the backend cannot do it.
 */
export function withAppendOn(
  app: App,
  { views, oneDatabase = false }: Backend,
  runtime: Runtime,
  settings: ProjectorSettings | undefined,
): WithAppend | undefined {
  const [first] = committedWithAppends(app)
  if (first === undefined) return undefined
  if (!oneDatabase) throw new BifoldError('project/not-one-database', { projection: first.name })
  return makeWithAppend(views, runtime, settings)
}
