export { inMemory } from './in-memory.ts'
export { memoryRowStore } from './row-store.ts'
export { memoryViewStore } from './view-store.ts'
