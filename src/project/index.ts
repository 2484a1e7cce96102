export type { Backend } from './backend.ts'
export { differingColumns } from './differing-columns.ts'
export { scalarProblem, textProblem } from './encode-row.ts'
export { type FoldFailure, type Folding, makeFolding, type Slot } from './fold.ts'
export type { ProjectorLimits } from './limits.ts'
export { compareScalars, compareText, timestampProblem } from './order.ts'
export { prepareBatch } from './prepare-batch.ts'
export { type Projector, type ProjectorOptions, startProjector } from './projector.ts'
export { makeRowCache } from './row-cache.ts'
export { shardOf } from './shard-of.ts'
export type { ProjectionStatus, ShardStatus } from './status.ts'
export type {
  Checkpoint,
  KeyedRead,
  ListedDoc,
  NativeReader,
  Read,
  RowKey,
  Scalar,
  Scan,
  ShardCheckpoint,
  Snapshot,
  StoredRow,
  Upsert,
  View,
  ViewCommit,
  ViewShape,
  ViewStore,
} from './store.ts'
export { lowestOf, rowId } from './store.ts'
export { sameColumns, viewShapeOf } from './view-shape.ts'
