export type { Backend } from './backend.ts'
export type { ProjectionStatus } from './status.ts'
export type * from './store.ts'
export { rowId } from './store.ts'
