import type { AnyAggregate, Metadata, Position, RecordedEvent, Version } from '../define/index.ts'
import type { Token } from '../log/index.ts'

/** How a command is sent. */
export interface DispatchOptions {
  /** Default `default`. */
  readonly tenant?: string
  /** The same (tenant, command, id) has the same outcome, however often it is sent. Default: a new id. */
  readonly commandId?: string
  /** Decide only on this version of the stream; otherwise `command/version-mismatch`. Default: on whatever is newest. */
  readonly expectedVersion?: Version
  /** Correlation, causation, actor and trace context of the events. */
  readonly metadata?: Omit<Metadata, 'commandId'>
}

/** What became of a command that was accepted. What was not is thrown, with a code. */
export interface Dispatched {
  /** The events it appended: none where there was nothing to do. */
  readonly events: readonly RecordedEvent[]
  /** The stream's version after it. */
  readonly version: Version
  /** The log's position that holds all of it. */
  readonly position: Position
  /** Give it to a query as `after` to read what this command wrote. */
  readonly token: Token
  /** This command id had been carried out before; the outcome is the first one. */
  readonly repeated: boolean
}

/** What goes into the schema of a command. */
type SentTo<A extends AnyAggregate, Name> =
  NonNullable<A['sent']> extends infer Sent ? (Name extends keyof Sent ? Sent[Name] : never) : never

/** Sends a command to one stream of an aggregate. */
export type Dispatch = <A extends AnyAggregate, Name extends keyof A['commands'] & string>(
  aggregate: A,
  streamId: string,
  command: Name,
  input: SentTo<A, Name>,
  options?: DispatchOptions,
) => Promise<Dispatched>

/**
 * As `Dispatch`, with the aggregate named by its category and the input not yet checked: what an HTTP server calls.
 * @throws as `dispatch`, and `command/unknown` where the app has no such command.
 */
export type DispatchByName = (
  category: string,
  streamId: string,
  command: string,
  input: unknown,
  options?: DispatchOptions,
) => Promise<Dispatched>
