export type { Dispatch, DispatchByName, Dispatched, DispatchOptions } from './dispatch.ts'
export { createDispatcher, type Dispatcher, type DispatcherOptions } from './dispatcher.ts'
