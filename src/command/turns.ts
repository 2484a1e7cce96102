/**
 * Lets what concerns one stream happen one after the other. Commands of one process to one stream would otherwise decide
 * on the same version, and all but one of them in vain.
 */
export interface Turns {
  take<T>(stream: string, run: () => Promise<T>): Promise<T>
}

export function createTurns(): Turns {
  // Streams that are busy, and who waits for each. Most often nobody does: then no queue is made.
  const busy = new Map<string, (() => void)[] | undefined>()
  return {
    take: async (stream, run) => {
      if (busy.has(stream)) {
        await new Promise<void>(resolve => {
          const waiting = busy.get(stream)
          if (waiting === undefined) busy.set(stream, [resolve])
          else waiting.push(resolve)
        })
      } else {
        busy.set(stream, undefined)
      }
      try {
        return await run()
      } finally {
        const next = busy.get(stream)?.shift()
        if (next === undefined) busy.delete(stream)
        else next()
      }
    },
  }
}
