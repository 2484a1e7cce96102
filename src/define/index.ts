export {
  type Aggregate,
  type AnyAggregate,
  aggregate,
  type Command,
  type DecisionContext,
  type SnapshotPolicy,
} from './aggregate.ts'
export { type App, app, typesOf } from './app.ts'
export { type Column, type Columns, type ColumnType, columnsOf } from './columns.ts'
export { sayIssues } from './error-catalogue.ts'
export { BifoldError, type ErrorCode, type ErrorData, errorCodes, isError } from './errors.ts'
export {
  type AnyEvents,
  type EventDefinition,
  type EventOf,
  type Events,
  type EventType,
  event,
  events,
  type Metadata,
  type NewEvent,
  type NewEventOf,
  type Position,
  type RecordedEvent,
  type TypeOf,
  type Upcaster,
  type Version,
} from './events.ts'
export { type ExactJson, exactJson } from './exact-json.ts'
export { type AnyProjection, type Projection, projection, type Ref, type Rollup } from './projection.ts'
export {
  type AnyQuery,
  type Ask,
  type Listed,
  type ListRequest,
  type Query,
  query,
  type Range,
} from './query.ts'
export { type Rejection, reject } from './reject.ts'
export { type RollupRow, type RollupSource, rollup } from './rollup.ts'
export { type Checked, check, type Issue, type JsonSchema, jsonSchemaOf, type Schema } from './schema.ts'
