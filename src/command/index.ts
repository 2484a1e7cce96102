export type { Dispatch, Dispatched, DispatchOptions } from './dispatch.ts'
