import type { AnyAggregate, SnapshotPolicy } from './aggregate.ts'
import { checkStages } from './check-stages.ts'
import { type Column, columnsOf } from './columns.ts'
import { BifoldError } from './errors.ts'
import type { AnyEvents, EventType } from './events.ts'
import { exactJson } from './exact-json.ts'
import type { AnyProjection, Batch } from './projection.ts'
import type { AnyQuery } from './query.ts'
import type { Schema } from './schema.ts'

interface Definitions {
  readonly name: string
  readonly aggregates: readonly AnyAggregate[]
  readonly projections: readonly AnyProjection[]
  readonly queries: readonly AnyQuery[]
  readonly contracts: readonly AnyEvents[]
}

/** Throws the `define/…` error of the first thing that is wrong. Types catch most of it earlier; this catches the rest. */
export function checkDefinitions({ name, aggregates, projections, queries, contracts }: Definitions): void {
  mustBeKebab(`app('${name}')`, name)
  mustDiffer(contracts.map(contract => ({ place: `events('${contract.category}')`, name: contract.category })))
  mustDiffer(aggregates.map(aggregate => ({ place: placeOf(aggregate), name: aggregate.events.category as string })))
  mustDiffer(projections.map(projection => ({ place: placeOf(projection), name: projection.name })))
  mustDiffer(queries.map(query => ({ place: placeOf(query), name: query.name })))
  contracts.forEach(checkContract)
  mustDiffer(
    contracts.flatMap(({ category, types }) =>
      Object.keys(types).map(type => ({ place: `events('${category}')`, name: type })),
    ),
  )
  aggregates.forEach(checkAggregate)
  for (const projection of projections) checkProjection(projection, contracts)
  for (const projection of projections) checkStages(projection, projections)
  for (const query of queries) checkQuery(query, projections)
}

function placeOf(definition: AnyAggregate | AnyProjection | AnyQuery): string {
  return definition.kind === 'aggregate'
    ? `aggregate('${definition.events.category}')`
    : `${definition.kind}('${definition.name}')`
}

const kebab = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/
const pascal = /^[A-Z][A-Za-z0-9]*$/

function mustBeKebab(place: string, name: string): void {
  if (!kebab.test(name) || name.length > 48) {
    throw new BifoldError('define/invalid-name', {
      place,
      name,
      rule: 'it must be in kebab-case and have at most 48 characters',
    })
  }
}

function mustBePascal(place: string, name: string): void {
  if (!pascal.test(name) || name.length > 64) {
    throw new BifoldError('define/invalid-name', {
      place,
      name,
      rule: 'it must be in PascalCase and have at most 64 characters',
    })
  }
}

function mustDiffer(named: readonly { readonly place: string; readonly name: string }[]): void {
  const seen = new Set<string>()
  for (const { place, name } of named) {
    if (seen.has(name)) throw new BifoldError('define/duplicate-name', { place, name })
    seen.add(name)
  }
}

function checkContract(contract: AnyEvents): void {
  const place = `events('${contract.category}')`
  mustBeKebab(place, contract.category)
  for (const type of Object.values(contract.types)) {
    mustBePascal(place, type.type)
    mustBeSchema(`${place}.${type.type}`, type.schema)
    checkUpcast(`${place}.${type.type}`, type)
  }
}

function checkUpcast(place: string, { schemaVersion, upcast }: EventType): void {
  if (!Number.isSafeInteger(schemaVersion) || schemaVersion < 1) {
    throw new BifoldError('define/invalid-upcast', {
      place,
      problem: `schemaVersion must be a whole number from 1, not ${schemaVersion}`,
    })
  }
  for (let version = 1; version < schemaVersion; version++) {
    if (typeof upcast[version] !== 'function') {
      throw new BifoldError('define/invalid-upcast', {
        place,
        problem: `upcast.${version} is missing: it turns version ${version} into version ${version + 1}`,
      })
    }
  }
  for (const version of Object.keys(upcast)) {
    if (!(Number(version) >= 1 && Number(version) < schemaVersion)) {
      throw new BifoldError('define/invalid-upcast', {
        place,
        problem: `upcast.${version} leads from no past version; the newest is ${schemaVersion}`,
      })
    }
  }
}

function checkAggregate(aggregate: AnyAggregate): void {
  const place = placeOf(aggregate)
  const types = Object.keys(aggregate.events.types)
  for (const type of types) {
    if (typeof aggregate.evolve[type] !== 'function') throw new BifoldError('define/unhandled-event', { place, type })
  }
  for (const type of Object.keys(aggregate.evolve)) {
    if (!types.includes(type)) throw new BifoldError('define/unknown-event', { place: `${place}.evolve`, type })
  }
  for (const [command, { input, decide }] of Object.entries(aggregate.commands)) {
    mustBePascal(`${place}.commands`, command)
    mustBeSchema(`${place}.commands.${command}.input`, input)
    mustBeFunction(`${place}.commands.${command}.decide`, decide)
  }
  mustBeFunction(`${place}.initial`, aggregate.initial)
  if (aggregate.snapshot !== undefined) checkSnapshot(aggregate, aggregate.snapshot, `${place}.snapshot`)
}

function mustBeFunction(place: string, given: unknown): void {
  if (typeof given !== 'function')
    throw new BifoldError('define/invalid-definition', { place, problem: 'it must be a function' })
}

function mustBeSchema(place: string, given: Partial<Schema<unknown>> | undefined): void {
  if (given?.['~standard'] === undefined) {
    throw new BifoldError('define/invalid-definition', { place, problem: 'it must be a schema (Standard Schema)' })
  }
}

function checkSnapshot({ initial }: AnyAggregate, policy: SnapshotPolicy | null, place: string): void {
  const { every = 0, version = 1 }: Partial<SnapshotPolicy> = policy ?? {}
  for (const [name, value] of Object.entries({ every, version })) {
    if (!Number.isSafeInteger(value) || value < 1 || value > maxInteger) {
      const problem = `${name} must be a whole number from 1 to ${maxInteger}`
      throw new BifoldError('define/invalid-definition', { place, problem })
    }
  }
  const { problem } = exactJson(initial())
  if (problem !== undefined) {
    throw new BifoldError('define/invalid-definition', {
      place,
      problem: `the initial state would not survive being written as JSON: ${problem}`,
    })
  }
}

/** What an `integer` of PostgreSQL holds. */
const maxInteger = 2 ** 31 - 1

/** Each costs a loop, a row of the checkpoints and a commit per batch. */
const maxShards = 64

function checkProjection(projection: AnyProjection, contracts: readonly AnyEvents[]): void {
  const place = placeOf(projection)
  mustBeKebab(place, projection.name)
  for (const contract of projection.from) {
    if (!contracts.includes(contract)) {
      throw new BifoldError('define/unknown-contract', { place: `${place}.from`, category: contract.category })
    }
  }
  if (!Number.isSafeInteger(projection.version) || projection.version < 1) {
    throw new BifoldError('define/invalid-definition', { place, problem: 'version must be a whole number from 1' })
  }
  if (!Number.isSafeInteger(projection.shards) || projection.shards < 1 || projection.shards > maxShards) {
    const problem = `shards must be a whole number from 1 to ${maxShards}`
    throw new BifoldError('define/invalid-definition', { place, problem })
  }
  const types = new Set(projection.from.flatMap(contract => Object.keys(contract.types)))
  for (const type of Object.keys(projection.on)) {
    if (!types.has(type)) throw new BifoldError('define/unknown-event', { place: `${place}.on`, type })
    mustBeFunction(`${place}.on.${type}`, projection.on[type])
  }
  if (projection.batch !== undefined) checkBatch(projection, projection.batch, place)
  checkCommit(projection, `${place}.commit`)
  checkKeys(projection, place, types)
  checkIndexes(projection, place, checkColumns(projection, place))
}

/** What an append is to write has to be known from its events and the rows of its stream, and is written under one lock. */
function checkCommit({ commit, key, shards, refs, batch }: AnyProjection, place: string): void {
  if (commit === 'after-append') return
  const problem =
    commit !== 'with-append'
      ? "it must be 'after-append' or 'with-append'"
      : batch !== undefined
        ? 'a batch projection is not committed with the append: its code would run under the lock of the log'
        : key !== 'stream'
          ? "a projection that is committed with the append has the key 'stream': leave `key` out"
          : shards !== 1
            ? 'a projection that is committed with the append has one shard: leave `shards` out'
            : Object.keys(refs).length > 0
              ? 'a projection that is committed with the append has no refs'
              : undefined
  if (problem !== undefined) throw new BifoldError('define/invalid-definition', { place, problem })
}

/** Names of tables are at most 63 bytes, of which the generation's own name needs the projection's and a few. */
const maxTableName = 52

function checkBatch({ name }: AnyProjection, { tables, handle }: Batch, place: string): void {
  mustBeFunction(`${place}.handle`, handle)
  for (const table of Object.keys(tables)) {
    if (/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/.test(table) && name.length + table.length <= maxTableName) continue
    throw new BifoldError('define/invalid-name', {
      place: `${place}.tables`,
      name: table,
      rule: `it must be in snake_case and have at most ${maxTableName} characters together with the projection's name`,
    })
  }
}

function checkKeys({ key, on }: AnyProjection, place: string, types: ReadonlySet<string>): void {
  if (key === 'stream') return
  for (const type of Object.keys(key)) {
    if (!types.has(type)) throw new BifoldError('define/unknown-event', { place: `${place}.key`, type })
  }
  for (const type of Object.keys(on)) {
    if (key[type] === undefined) {
      throw new BifoldError('define/invalid-definition', {
        place: `${place}.key`,
        problem: `it says nothing about ${type}, which \`on\` folds`,
      })
    }
  }
}

function checkColumns({ state, row, present }: AnyProjection, projection: string): readonly Column[] {
  const derivedState = columnsOf(state)
  if ('problem' in derivedState) {
    throw new BifoldError('define/invalid-row', { place: `${projection}.state`, ...derivedState })
  }
  const place = present === undefined ? `${projection}.state` : `${projection}.row`
  const derived = columnsOf(row)
  if ('problem' in derived) throw new BifoldError('define/invalid-row', { place, ...derived })
  for (const { name } of derived.columns) {
    if (!/^[A-Za-z][A-Za-z0-9_]*$/.test(name) || name.length > 63) {
      throw new BifoldError('define/invalid-row', {
        place,
        column: name,
        problem: 'a column begins with a letter, goes on with letters, digits and _, and has at most 63 characters',
      })
    }
  }
  return derived.columns
}

const indexable = new Set(['text', 'bigint', 'double', 'boolean', 'timestamp'])

function checkIndexes({ indexes }: AnyProjection, place: string, columns: readonly Column[]): void {
  for (const index of indexes) {
    if (index.length === 0 || new Set(index).size < index.length) {
      throw new BifoldError('define/invalid-index', {
        place,
        column: index.join(', '),
        problem: 'it needs one column or more, each once',
      })
    }
    for (const name of index) {
      const column = columns.find(candidate => candidate.name === name)
      const problem =
        column === undefined
          ? 'there is no such column'
          : !indexable.has(column.type)
            ? `a column of type ${column.type} has no order`
            : column.nullable
              ? 'it may be null, and null has no place in an order that is the same in every store'
              : undefined
      if (problem !== undefined) throw new BifoldError('define/invalid-index', { place, column: name, problem })
    }
  }
}

function checkQuery(query: AnyQuery, projections: readonly AnyProjection[]): void {
  const place = placeOf(query)
  mustBeKebab(place, query.name)
  const views = query.ask.verb === 'native' ? Object.values(query.ask.views) : [query.from]
  for (const view of views) {
    if (!projections.includes(view)) {
      throw new BifoldError('define/unknown-projection', { place, projection: view.name })
    }
  }
  if (query.ask.verb !== 'native' && query.from.batch !== undefined) {
    const problem = `'${query.from.name}' takes whole batches and has no rows; ask its tables with \`batchQuery\``
    throw new BifoldError('define/invalid-definition', { place, problem })
  }
}
