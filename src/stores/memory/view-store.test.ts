import { storeContract } from '../../project/store.contract.ts'
import { memoryViewStore } from './index.ts'

storeContract('memory', async () => {
  const store = memoryViewStore()
  return { store, other: store, close: () => store.close() }
})
