import { BifoldError } from '../../src/index.ts'
import type { RowStore, Rows } from '../../src/project/index.ts'
import type { Faults } from './faults.ts'
import type { Machine } from './machine.ts'
import { all } from './pages.ts'
import { remote } from './remote.ts'

const gone = (): Error => new BifoldError('project/store-unreachable', { projection: 'any', problem: 'it was cut' })

/** What was written arrives once more, or for the first time, when others have long had the shard. */
const straysMs = 5000

/** A store of rows as one process reaches it, over a network that fails. */
export function faultyRows(inner: RowStore, machine: Machine, faults: () => Faults): RowStore {
  return {
    ...remote('row store', inner, machine, gone),
    open: (shape, generation) =>
      machine.call('row store.open', async () => faulty(await inner.open(shape, generation), machine, faults), gone),
    close: async () => undefined,
  }
}

function faulty(inner: Rows, machine: Machine, faults: () => Faults): Rows {
  return {
    ...remote('rows', inner, machine, gone),
    // Each goes its own way: of those that are written at once some come late, some twice and some never.
    write: async ({ upserts, deletes, ...others }) => {
      const writes = [
        ...upserts.map(row => () => inner.write({ ...others, upserts: [row], deletes: [] })),
        ...deletes.map(row => () => inner.write({ ...others, upserts: [], deletes: [row] })),
      ]
      for (const write of writes) if (machine.hit(faults().late)) machine.again('rows.write', write, straysMs)
      await Promise.all(writes.map(write => machine.call('rows.write', write, gone)))
    },
    pages: async function* () {
      yield* await machine.call('rows.pages', () => all(inner.pages()), gone)
    },
  }
}
