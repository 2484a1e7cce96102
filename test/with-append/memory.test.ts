import { inMemory } from '../../src/stores/memory/index.ts'
import { withAppendContract } from './contract.ts'

withAppendContract('in memory', async () => {
  const { log, views, ...others } = inMemory()
  const nothing = async () => undefined
  // Several processes have it, and none of them closes it.
  const kept = { ...others, log: { ...log, close: nothing }, views: { ...views, close: nothing }, close: nothing }
  return { backend: async () => kept, close: nothing }
})
