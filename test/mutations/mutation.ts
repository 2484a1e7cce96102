/** One guard of the engine, broken. */
export interface Mutation {
  /** What no longer holds. */
  readonly breaks: string
  readonly file: string
  /** Stands in the file, once. */
  readonly text: string
  readonly replacement: string
  /** Does the simulation have to notice? Where it need not, and is not asked: why not. */
  readonly simulation: true | string
  /** Does torture have to notice? It takes a minute and more, and is asked where PostgreSQL itself is what guards. */
  readonly torture?: true
  /** The tests that have to notice. */
  readonly tests: readonly string[]
}
