export type { DrainOptions } from './drain.ts'
export { type RunOptions, run } from './run.ts'
export type { System } from './system.ts'
