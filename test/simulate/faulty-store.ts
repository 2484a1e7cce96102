import { BifoldError } from '../../src/index.ts'
import type { Snapshot, View, ViewStore } from '../../src/project/index.ts'
import type { Machine } from './machine.ts'
import { all } from './pages.ts'
import { remote } from './remote.ts'

const gone = (): Error => new BifoldError('project/store-unreachable', { projection: 'any', problem: 'it was cut' })

/** A store of views as one process reaches it, over a network that fails. */
export function faultyStore(inner: ViewStore, machine: Machine): ViewStore {
  return {
    ...remote('store', inner, machine, gone),
    open: (shape, generation) =>
      machine.call('store.open', async () => faultyView(await inner.open(shape, generation), machine), gone),
    find: (shape, generation) =>
      machine.call('store.find', async () => faultyView(await inner.find(shape, generation), machine), gone),
    rebuild: (shape, newest) =>
      machine.call('store.rebuild', async () => faultyView(await inner.rebuild(shape, newest), machine), gone),
    onMoved: listener => inner.onMoved(projection => machine.hint('moved', () => listener(projection))),
    onGenerations: listener =>
      inner.onGenerations(projection => machine.hint('generations', () => listener(projection))),
    close: async () => undefined,
  }
}

function faultyView(inner: View, machine: Machine): View {
  return {
    ...remote('view', inner, machine, gone),
    rollups: remote('rollups', inner.rollups, machine, gone),
    // A commit that stays where it is cannot be told from itself: what divides a store from its clients delivers it once.
    commit: commit => {
      const isMove = commit.to.position > commit.from.position
      return machine.call('view.commit', () => inner.commit(commit), gone, { mayDouble: isMove })
    },
    // What runs in a transaction of the log's has arrived with it.
    inAppend: client => inner.inAppend!(client),
    letters: remote('letters', inner.letters, machine, gone),
    // Pages are made while they are sent, by a process that may not live to the end of it: then nothing arrives.
    bulkLoad: async ({ pages, rest: _, ...load }) => {
      const sent = await all(pages)
      return machine.call('view.bulkLoad', () => inner.bulkLoad({ ...load, pages: inTurn(sent) }), gone)
    },
    // What is read of a snapshot was so at one moment; reading it calls nobody any more.
    snapshot: async read => read(await machine.call('view.snapshot', () => inner.snapshot(copied), gone)),
  }
}

async function copied({ pages, sums, ...others }: Snapshot): Promise<Snapshot> {
  return { ...others, pages: inTurn(await all(pages)), sums: inTurn(await all(sums)) }
}

async function* inTurn<T>(pages: readonly T[]): AsyncGenerator<T> {
  yield* pages
}
