export { inMemory } from './in-memory.ts'
export { memoryViewStore } from './view-store.ts'
