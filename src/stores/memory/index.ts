export { memoryViewStore } from './view-store.ts'
