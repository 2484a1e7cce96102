import { rowsApart } from '../../project/index.ts'
import { storeContract } from '../../project/store.contract.ts'
import { memoryRowStore, memoryViewStore } from './index.ts'

storeContract('memory', async () => {
  const store = memoryViewStore()
  return { store, other: store, close: () => store.close() }
})

storeContract(
  'rows apart, in memory',
  async () => {
    const [views, rows] = [memoryViewStore(), memoryRowStore()]
    const [store, other] = [rowsApart(views, rows), rowsApart(views, rows)]
    return { store, other, close: () => store.close() }
  },
  true,
)
