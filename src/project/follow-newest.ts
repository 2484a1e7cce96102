/**
 * Does `work` for one thing at a time. Of what comes meanwhile the newest is next, and all before it is passed over: it says
 * how things were, and a queue of it would grow behind work that is slow. What fails is let go, since the next one comes.
 *
 * @returns is given the next thing, and resolves when the work for it, or for a newer one, has ended.
 */
export function followNewest<T>(work: (thing: T) => Promise<void>): (thing: T) => Promise<void> {
  let newest: T
  let running: Promise<void> | undefined
  let next: Promise<void> | undefined

  const run = (): Promise<void> => {
    next = undefined
    running = work(newest)
      .catch(() => undefined)
      .finally(() => {
        // The next one begins a few turns later, and what comes until then must not begin beside it.
        if (next === undefined) running = undefined
      })
    return running
  }
  return thing => {
    newest = thing
    if (running === undefined) return run()
    next ??= running.then(run)
    return next
  }
}
