import type { Mutation } from './mutation.ts'

const rows = 'src/stores/memory/row-store.ts'
const rowTests = 'src/stores/memory/row-store.test.ts'
const apart = 'src/project/rows-apart.ts'
const apartTests = 'src/project/projector-apart.test.ts'
const batchTests = 'src/project/prepare-batch.test.ts'
const version = 'one.epoch > other.epoch || (one.epoch === other.epoch && one.madeAt > other.madeAt)'

/** Guards of rows that are apart from their checkpoint, in a store without transactions. */
export const ofRows: readonly Mutation[] = [
  {
    breaks: 'a row of a newer version stays',
    file: rows,
    text: '(there === undefined || !isNewer(there, one))',
    replacement: '(there === undefined || one !== there)',
    simulation: true,
    tests: [rowTests],
  },
  {
    breaks: 'of two versions of a row that of the later epoch is newer',
    file: rows,
    text: version,
    replacement: 'one.madeAt > other.madeAt',
    simulation: true,
    tests: [rowTests],
  },
  {
    breaks: 'of two versions of an epoch that of the later position is newer',
    file: rows,
    text: version,
    replacement: 'one.epoch > other.epoch',
    simulation: true,
    tests: [rowTests],
  },
  {
    breaks: 'a row that is deleted leaves a tombstone',
    file: rows,
    text: 'put({ ...version, tombstone })',
    replacement: 'stored.delete(rowId(tombstone))',
    simulation: true,
    tests: [rowTests],
  },
  {
    breaks: 'rows are written before their checkpoint moves',
    file: apart,
    text: `      if (upserts.length > 0 || deletes.length > 0) await rows.write({ epoch, madeAt }, upserts, deletes)
      return base.commit({ ...commit, upserts: [], deletes: [] })`,
    replacement: `      const outcome = await base.commit({ ...commit, upserts: [], deletes: [] })
      if (outcome === 'committed') await rows.write({ epoch, madeAt }, upserts, deletes)
      return outcome`,
    simulation: true,
    tests: ['src/stores/memory/view-store.test.ts'],
  },
  {
    breaks: 'an event that is in a row already is not folded into it again',
    file: 'src/project/fold.ts',
    text: ' || event.position <= slot.position',
    replacement: '',
    simulation: true,
    tests: [batchTests],
  },
  {
    breaks: 'the row of a key that fails is written as it stands',
    file: 'src/project/prepare-batch.ts',
    text: 'view.mayBeAhead === true ? aside',
    replacement: 'false ? aside',
    simulation: 'No seed of a thousand comes to it.',
    tests: [batchTests],
  },
  {
    breaks: 'a bulk load leaves tombstones',
    file: 'src/project/bulk-load.ts',
    text: 'makeBulkRows(view.mayBeAhead)',
    replacement: 'makeBulkRows()',
    simulation: 'No seed of a thousand comes to it.',
    tests: [apartTests],
  },
  {
    breaks: 'rows that are made anew in parts say as of which position',
    file: 'src/project/shard-session.ts',
    text: 'madeAt: at.to.position, cursor',
    replacement: 'cursor',
    simulation: 'No seed of a thousand comes to it.',
    tests: [apartTests],
  },
]
