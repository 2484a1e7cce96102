import type { Given, Schema } from './schema.ts'

/** A position in the log: 1, 2, 3 … without gaps, in the order of commit. 0 stands before the first event. */
export type Position = number & { readonly __brand?: 'Position' }

/** An event's place in its stream: 1, 2, 3 … without gaps. 0 is a stream that has no event yet. */
export type Version = number & { readonly __brand?: 'Version' }

/** An event that was decided and is not yet in the log. */
export interface NewEvent<Category extends string = string, Type extends string = string, Data = unknown> {
  readonly category: Category
  readonly type: Type
  readonly data: Data
}

/** What travels with an event beside its data. Fields that are absent were not given. */
export interface Metadata {
  /** The id of the command that decided this event. */
  readonly commandId?: string
  /** Ties together everything that one outside cause set off. */
  readonly correlationId?: string
  /** The id of the event or command that directly caused this one. */
  readonly causationId?: string
  /** Who acted: a user's or a service's name. */
  readonly actor?: string
  /** W3C trace context (`traceparent`). */
  readonly traceparent?: string
}

/** An event as the log gives it out: decoded, and upcast to the newest schema version. */
export interface RecordedEvent<Category extends string = string, Type extends string = string, Data = unknown>
  extends NewEvent<Category, Type, Data> {
  /** Unique, time-ordered (UUID version 7). */
  readonly id: string
  readonly tenant: string
  readonly streamId: string
  readonly version: Version
  readonly position: Position
  /** The schema version the event was written with. `data` has been upcast from it. */
  readonly schemaVersion: number
  readonly tags: readonly string[]
  readonly metadata: Metadata
  /** The database's clock under the log's lock, ISO 8601 in UTC with microseconds. Never goes back. */
  readonly recordedAt: string
}

/** How one type of event is written and read. */
export interface EventType<Data = unknown> {
  readonly category: string
  readonly type: string
  readonly schema: Schema<Data>
  readonly schemaVersion: number
  readonly upcast: Readonly<Record<number, Upcaster>>
  readonly tags: (data: Data) => readonly string[]
}

/** Turns the data of one schema version into the data of the next. Pure. */
export type Upcaster = (data: any) => unknown

/** The long form of an event's definition, made by `event`. */
export interface EventDefinition<Data> extends Schema<Data> {
  readonly schemaVersion: number
  readonly upcast: Readonly<Record<number, Upcaster>>
  readonly tags: (data: Data) => readonly string[]
}

/** A contract: the events of one category, which the write side decides and the read side folds. */
export type Events<Category extends string = string, Datas = unknown> = {
  readonly kind: 'events'
  readonly category: Category
  readonly types: { readonly [Type in keyof Datas]: EventType<Datas[Type]> }
} & { readonly [Type in keyof Datas & string]: (data: Given<Datas[Type]>) => NewEvent<Category, Type, Datas[Type]> }

export interface AnyEvents {
  readonly kind: 'events'
  readonly category: string
  readonly types: { readonly [type: string]: EventType<any> }
}

/** The names of a contract's events. */
export type TypeOf<C extends AnyEvents> = keyof C['types'] & string

type DataOf<C extends AnyEvents, Type> = Type extends keyof C['types']
  ? C['types'][Type] extends EventType<infer Data>
    ? Data
    : never
  : never

/** A contract's event as the log gives it out. */
export type EventOf<C extends AnyEvents, Type extends string = TypeOf<C>> =
  Type extends TypeOf<C> ? RecordedEvent<C['category'], Type, DataOf<C, Type>> : never

/** Any event that may be decided under a contract. */
export type NewEventOf<C extends AnyEvents> = {
  [Type in TypeOf<C>]: NewEvent<C['category'], Type, DataOf<C, Type>>
}[TypeOf<C>]

/**
 * Declares the events of one category.
 *
 * @param category names the kind of stream, in kebab-case: `order`.
 * @param definitions one schema for each event, whose name is in PascalCase; or `event(…)` where it has a version or tags.
 * @returns the contract: a constructor for each event, and what the log must know to write and read them.
 */
export function events<const Category extends string, const Datas>(
  category: Category,
  definitions: { readonly [Type in keyof Datas]: Schema<Datas[Type]> },
): Events<Category, Datas> {
  const contract: Record<string, unknown> = { kind: 'events', category, types: {} }
  const types = contract['types'] as Record<string, EventType>
  for (const [type, definition] of Object.entries(definitions) as [string, Schema<unknown>][]) {
    types[type] = { category, type, schema: definition, ...evolutionOf(definition) }
    contract[type] = (data: unknown): NewEvent => ({ category, type, data })
  }
  return contract as Events<Category, Datas>
}

function evolutionOf(definition: Schema<unknown> & Partial<EventDefinition<unknown>>) {
  const { schemaVersion = 1, upcast = {}, tags = noTags } = definition
  return { schemaVersion, upcast, tags }
}

const noTags = (): readonly string[] => []

/**
 * An event with a history or with tags.
 *
 * @param schema the data of the newest schema version.
 * @param options.schemaVersion counts the shapes that this event has had. Default 1.
 * @param options.upcast for each past version, how its data becomes that of the next one.
 * @param options.tags what a decision across streams may look for. Default none.
 */
export function event<const Data>(
  schema: Schema<Data>,
  options: {
    readonly schemaVersion?: number
    readonly upcast?: Readonly<Record<number, Upcaster>>
    readonly tags?: (data: NoInfer<Data>) => readonly string[]
  },
): EventDefinition<Data> {
  return {
    '~standard': schema['~standard'],
    schemaVersion: options.schemaVersion ?? 1,
    upcast: options.upcast ?? {},
    tags: options.tags ?? noTags,
  }
}
