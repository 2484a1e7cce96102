import { rowStoreContract } from '../../project/row-store.contract.ts'
import { memoryRowStore } from './index.ts'

rowStoreContract('memory', async () => {
  const store = memoryRowStore()
  return { store, other: store, close: () => store.close() }
})
