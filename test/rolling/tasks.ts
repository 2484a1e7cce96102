/** What a process of a release can be told. `pause`: it writes no more. */
export type Task = 'answers' | 'status' | 'pause' | 'drain' | 'verify' | { readonly swap: number }

export interface Numbered {
  readonly number: number
  readonly task: Task
}

/** What became of reading each note by the token with which it was written. */
export interface Answers {
  readonly right: number
  readonly wrong: number
  readonly errors: readonly string[]
}
