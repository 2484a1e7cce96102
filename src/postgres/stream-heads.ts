import type { Anchor, Expected, StreamKey } from '../log/index.ts'

/**
 * The versions of the streams that this process appended to last. Where one is the version that an append expects, the
 * database need not look it up: the event was there, and is there still as long as history is the one that is known.
 */
export interface Heads {
  isCertain(stream: StreamText, expected: Expected, known: Anchor): boolean
  /** Takes the version of each append's stream after it, where it is told, and the log's head after all of them. */
  learn(streams: readonly StreamText[], versions: readonly (number | undefined)[], head: Anchor): void
}

/** One string for a stream: no part of its key can hold a newline. */
export type StreamText = string

export function streamText({ tenant, category, id }: StreamKey): StreamText {
  return `${tenant}\n${category}\n${id}`
}

/** @param streams how many are remembered. Default 20000. */
export function makeHeads(streams = 20_000): Heads {
  const versions = new Map<string, number>()
  // What was learnt is true of histories that reach so far, and only the point that is known proves which one this is.
  let learntAt = 0
  return {
    isCertain: (stream, expected, known) => {
      const version = versions.get(stream)
      return version === undefined ? expected === 0 : version === expected && known.position >= learntAt
    },
    learn: (learnt, after, head) => {
      learntAt = Math.max(learntAt, head.position)
      for (const [index, stream] of learnt.entries()) {
        const version = after[index]
        if (version === undefined) continue
        versions.delete(stream)
        versions.set(stream, version)
      }
      for (const oldest of versions.keys()) {
        if (versions.size <= streams) break
        versions.delete(oldest)
      }
    },
  }
}
