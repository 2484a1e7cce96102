import type { Figure } from './figure.ts'

/** One benchmark. */
export interface Bench {
  /** What it measures, in one line. */
  readonly about: string
  run(context: BenchContext): Promise<readonly Figure[]>
}

export interface BenchContext {
  /** A PostgreSQL server on which databases can be made. */
  readonly serverUrl: string
  /** Less of everything: about a minute in all, at most. */
  readonly quick: boolean
  /** Tells how far it is. */
  readonly say: (line: string) => void
}
