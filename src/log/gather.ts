import type { Runtime } from './runtime.ts'

/**
 * Gathers calls that come together into one, at most `batchKeys` of them, with at most two under way. With one caller it
 * costs a turn; with many it is several times faster than a statement for each.
 */
export function gather<Key, Value>(
  load: (keys: readonly Key[]) => Promise<readonly Value[]>,
  { runtime, batchKeys }: { readonly runtime: Runtime; readonly batchKeys: number },
): (key: Key) => Promise<Value> {
  const maxUnderWay = 2
  interface Call {
    readonly key: Key
    readonly resolve: (value: Value) => void
    readonly reject: (error: unknown) => void
  }
  let calls: Call[] = []
  let underWay = 0
  let starting = false

  const run = async (): Promise<void> => {
    await runtime.turn()
    starting = false
    while (calls.length > 0) {
      const batch = calls.slice(0, batchKeys)
      calls = calls.slice(batchKeys)
      try {
        const values = await load(batch.map(call => call.key))
        for (const [index, { resolve }] of batch.entries()) resolve(values[index] as Value)
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    underWay--
  }

  return key =>
    new Promise((resolve, reject) => {
      calls.push({ key, resolve, reject })
      // One that has its turn still before it takes this call along.
      if (starting || underWay === maxUnderWay) return
      starting = true
      underWay++
      void run()
    })
}
