/** Those who want to hear when something of a projection has changed. */
export function listeners() {
  const all = new Set<(projection: string) => void>()
  return {
    add: (listener: (projection: string) => void) => {
      all.add(listener)
      return () => all.delete(listener)
    },
    tell: (projection: string) => {
      for (const listener of all) listener(projection)
    },
    clear: () => all.clear(),
  }
}
