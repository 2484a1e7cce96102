import { memoryLogStorage } from '../../log/index.ts'
import type { Backend } from '../../project/index.ts'
import { memoryViewStore } from './view-store.ts'

/** A backend that lives and goes with this process: for tests, and for trying things out. */
export function inMemory(): Backend {
  return { log: memoryLogStorage(), views: memoryViewStore(), oneDatabase: true, close: async () => undefined }
}
