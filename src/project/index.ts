export { type Aside, type KeyFailure, type KnownLetters, makeAside, type SetAside } from './aside.ts'
export type { Backend } from './backend.ts'
export { mustBeFor, mustFold } from './batch-checks.ts'
export {
  type DeadLetters,
  isSameRequest,
  type Letter,
  type LetterRequest,
  type ListedKey,
  type ParkedKey,
  type Parking,
  type Requested,
  type Skip,
  type Standing,
} from './dead-letters.ts'
export { pausedFailure } from './describe-failure.ts'
export { differingColumns } from './differing-columns.ts'
export { decodeRow, encodeRow, type Row, textProblem } from './encode-row.ts'
export { findOwn, findView, seeGenerations } from './find-view.ts'
export { type Folding, makeFolding, type Slot } from './fold.ts'
export { followNewest } from './follow-newest.ts'
export { statusOf, storedFailureOf, warningOf } from './generation-status.ts'
export type { ActivateOptions, Activation, Dropping, Generation, LoadProgress, ShardLoad } from './generations.ts'
export { type Join, makeJoin, type ReferredView } from './join.ts'
export { type JoinCursor, readCursor } from './join-cursor.ts'
export { type FoldFailure, makeKeysOf } from './keys-of.ts'
export {
  type Beat,
  type CarriedView,
  type GenerationRef,
  generationId,
  type Holdings,
  type Lease,
  type Member,
  type ShardRef,
  shardId,
} from './leases.ts'
export type { ProjectorLimits, RebuildLimits } from './limits.ts'
export { compareScalars, compareText, timestampProblem } from './order.ts'
export { lookedAfterOf, ownOf, type SeenGenerations, servingOf, servingSumsOf } from './plan-generations.ts'
export { type Batch, prepareBatch } from './prepare-batch.ts'
export { presentDependents } from './present-dependents.ts'
export type { Progress } from './progress.ts'
export { type Projector, type ProjectorOptions, type ProjectorSettings, startProjector } from './projector.ts'
export type { RefKeys } from './ref-keys.ts'
export type {
  ChangedRow,
  Changes,
  ChangesQuery,
  Dependent,
  DependentsQuery,
  JoinableView,
  PastRow,
  RefShape,
} from './referred.ts'
export type { RollupGroup, RollupReads, RollupSum, StoredSum } from './rollup-store.ts'
export { compareSums, makeContributions, rowCount } from './rollups.ts'
export { makeRowCache } from './row-cache.ts'
export type { RowStore, Rows, RowVersion, RowWrites } from './row-store.ts'
export { type RowsApartOptions, rowsApart } from './rows-apart.ts'
export { shardOf } from './shard-of.ts'
export type { Failure, GenerationStatus, ProjectionStatus, ShardStatus } from './status.ts'
export type {
  BulkLoad,
  Checkpoint,
  DeletedRow,
  KeyedRead,
  ListedDoc,
  LoadedRow,
  NativeReader,
  Read,
  RowKey,
  Scalar,
  Scan,
  ShardCheckpoint,
  Snapshot,
  StoredRow,
  Tombstone,
  Upsert,
  View,
  ViewCommit,
  ViewShape,
  ViewStore,
} from './store.ts'
export { lowestOf, rowId } from './store.ts'
export { makeTurns } from './turns.ts'
export type { HeldCheckpoint, ViewInAppend } from './view-in-append.ts'
export { apartOf, mustBeWhere, sameColumns, servesJoins, stagesOf, viewShapeOf } from './view-shape.ts'
export { type GenerationWatch, watchAll } from './watch-generations.ts'
export { makeWithAppend, type WithAppend } from './with-append.ts'
