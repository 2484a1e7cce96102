import type { Mutation } from './mutation.ts'

const rows = 'src/stores/memory/row-store.ts'
const rowTests = 'src/stores/memory/row-store.test.ts'
const apart = 'src/project/rows-apart.ts'
const apartTests = 'src/project/projector-apart.test.ts'
const rowsApartTests = 'src/project/rows-apart.test.ts'
const batchTests = 'src/project/prepare-batch.test.ts'
const version = 'one.epoch > other.epoch || (one.epoch === other.epoch && one.number > other.number)'

/** Guards of rows that are apart from their checkpoint, in a store without transactions. */
export const ofRows: readonly Mutation[] = [
  {
    breaks: 'a row of the same version or a newer one stays',
    file: rows,
    text: '(there === undefined || isNewer(one.version, there.version))',
    replacement: '(there === undefined || one !== there)',
    simulation: true,
    tests: [rowTests],
  },
  {
    breaks: 'of two versions of a row that of the later epoch is newer',
    file: rows,
    text: version,
    replacement: 'one.number > other.number',
    simulation: true,
    tests: [rowTests],
  },
  {
    breaks: 'of two versions of an epoch that of the higher number is newer',
    file: rows,
    text: version,
    replacement: 'one.epoch >= other.epoch',
    simulation: true,
    tests: [rowTests],
  },
  {
    breaks: 'a row that is deleted leaves a tombstone',
    file: rows,
    text: 'put({ version, madeAt: own, tombstone })',
    replacement: 'stored.delete(rowId(tombstone))',
    simulation: true,
    tests: [rowTests],
  },
  {
    breaks: 'rows are written before their checkpoint moves',
    file: apart,
    text: `      if (upserts.length > 0 || deletes.length > 0) {
        await rows.write({ version: next(commit), madeAt, upserts, deletes })
      }
      return base.commit({ ...commit, upserts: [], deletes: [] })`,
    replacement: `      const outcome = await base.commit({ ...commit, upserts: [], deletes: [] })
      if (outcome === 'committed') await rows.write({ version: next(commit), madeAt, upserts, deletes })
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
    file: 'src/project/stage-all.ts',
    text: 'view.mayBeAhead === true && (failedAt.has(rowId(slot)) || isAnew(slot))',
    replacement: 'view.mayBeAhead === true && isAnew(slot)',
    simulation: 'No seed of a thousand comes to it.',
    tests: [batchTests],
  },
  {
    breaks: 'the row of a key that cannot be made any more is written as it is',
    file: 'src/project/prepare-batch.ts',
    text: 'of isApart ? cache.batch().filter(',
    replacement: 'of false ? cache.batch().filter(',
    simulation: 'No seed of a thousand comes to it.',
    tests: [rowsApartTests],
  },
  {
    breaks: 'a row that is what it was is written all the same',
    file: 'src/project/present-dependents.ts',
    text: 'view.mayBeAhead !== true && slot.stored !== null',
    replacement: 'slot.stored !== null',
    simulation: 'There no row is twice what it was.',
    tests: [rowsApartTests],
  },
  {
    breaks: 'a row that is ahead is made anew of nothing that it has passed',
    file: 'src/project/fold.ts',
    text: ' && position !== loaded?.position',
    replacement: '',
    simulation: 'A row can be made there of whatever is referred to.',
    tests: [rowsApartTests],
  },
  {
    breaks: 'a parked key that somebody has folded on is folded again from its first event',
    file: 'src/project/drain-letters.ts',
    text: '  return slot.position >= standing.position\n',
    replacement: '  return false\n',
    simulation: 'No seed of a thousand comes to it.',
    tests: [rowsApartTests],
  },
  {
    breaks: 'generations whose rows are elsewhere are others',
    file: 'src/project/view-shape.ts',
    text: 'if (apart !== undefined) return JSON.stringify([state, rollups, apart])',
    replacement: '',
    simulation: 'No view moves there.',
    tests: [rowsApartTests],
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
