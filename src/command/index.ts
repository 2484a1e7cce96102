export type { Dispatch, Dispatched, DispatchOptions } from './dispatch.ts'
export { createDispatcher, type Dispatcher, type DispatcherOptions } from './dispatcher.ts'
