import { BifoldError } from '../define/index.ts'
import { findOwn, type ViewStore, viewShapeOf } from '../project/index.ts'
import type { ServedViews } from '../query/index.ts'
import { checkArguments } from './check-arguments.ts'
import { type Gate, mustOperateOn } from './of-app.ts'
import type { System } from './system.ts'

/**
 * What operators do to a projection, from whatever process.
 *
 * @param served the views that answer queries here, where any do.
 */
export function operationsOn(
  gate: Gate,
  store: ViewStore,
  served: Pick<ServedViews, 'follow'> | undefined,
): Pick<System, 'pause' | 'resume' | 'reset' | 'swap' | 'rebuild' | 'drop'> {
  const { app } = gate
  return {
    pause: async projection => {
      mustOperateOn(gate, projection)
      await store.pause(projection.name)
    },
    resume: async projection => {
      mustOperateOn(gate, projection)
      await store.resume(projection.name)
    },
    reset: async projection => {
      mustOperateOn(gate, projection)
      await reset(store, projection.name, await findOwn(store, viewShapeOf(projection, app.projections)))
    },
    swap: async (projection, generation) => {
      mustOperateOn(gate, projection)
      checkArguments('swap', { generation: generation ?? null })
      await swap(store, projection.name, generation)
      await served?.follow(projection.name)
      const now = (await store.generations(projection.name)).find(one => one.generation === generation)
      return { parkedKeys: now?.parked ?? 0 }
    },
    rebuild: async projection => {
      mustOperateOn(gate, projection)
      const shape = viewShapeOf(projection, app.projections)
      // One more of what there is. The first of a definition is made by a process that runs it.
      await findOwn(store, shape)
      return (await store.rebuild(shape)).generation
    },
    drop: async (projection, generation) => {
      mustOperateOn(gate, projection)
      checkArguments('drop', { generation: generation ?? null })
      await drop(store, projection.name, generation)
    },
  }
}

async function reset(store: ViewStore, projection: string, generation: number): Promise<void> {
  const resetting = await store.reset(projection, generation)
  // It was dropped since it was found.
  if (resetting === 'unknown') throw new BifoldError('project/generation-dropped', { projection, generation })
}

async function swap(store: ViewStore, projection: string, generation: number): Promise<void> {
  const activation = await store.activate(projection, generation)
  switch (activation.kind) {
    case 'activated':
      return
    // It is not asked to look.
    case 'parked':
      return
    case 'unknown':
      throw new BifoldError('project/generation-dropped', { projection, generation })
    case 'loading':
      throw new BifoldError('project/generation-loading', { projection, generation })
    case 'behind': {
      const { position, reached } = activation
      throw new BifoldError('project/generation-behind', { projection, generation, position, reached })
    }
  }
}

async function drop(store: ViewStore, projection: string, generation: number): Promise<void> {
  const dropping = await store.drop(projection, generation)
  switch (dropping) {
    case 'dropped':
      return
    case 'unknown':
      throw new BifoldError('project/generation-dropped', { projection, generation })
    case 'active':
      throw new BifoldError('project/generation-in-use', { projection, generation, problem: 'it serves' })
    case 'in-use': {
      const problem = 'other views, or objects of your own, stand on its rows'
      throw new BifoldError('project/generation-in-use', { projection, generation, problem })
    }
  }
}
