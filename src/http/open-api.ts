import {
  type AnyAggregate,
  type AnyEvents,
  type AnyQuery,
  type App,
  type JsonSchema,
  jsonSchemaOf,
  type Schema,
} from '../define/index.ts'
import { embed, ref } from './embed-schema.ts'
import { commandHeaders, commandResult, envelope, health, problem, queryHeaders } from './open-api-parts.ts'
import { parameterDocs } from './parameter-docs.ts'
import { problemMediaType } from './problem.ts'
import { parametersOfQuery } from './queries-plugin.ts'

/** An OpenAPI 3.1 document, as plain data. */
export type OpenApi = Record<string, unknown>

/** Which parts of an app a document describes. */
export interface OpenApiOptions {
  /** Default true. */
  readonly commands?: boolean
  /** Default true. */
  readonly queries?: boolean
  /** The version of the API that the document names. Default `1.0.0`. */
  readonly version?: string
}

/**
 * Describes an app's HTTP API, from its definitions alone.
 *
 * @throws `http/unreadable-input` for a query whose input has no JSON Schema of an object.
 */
export function openApiOf(
  app: App,
  { commands = true, queries = true, version = '1.0.0' }: OpenApiOptions = {},
): OpenApi {
  const aggregates = commands ? app.aggregates : []
  const asked = queries ? app.queries : []
  return {
    openapi: '3.1.0',
    info: { title: app.name, version },
    tags: [
      ...aggregates.map(({ events }) => ({ name: events.category, description: `Commands to \`${events.category}\`` })),
      ...(asked.length > 0 ? [{ name: 'queries', description: 'Questions to the views' }] : []),
      { name: 'health', description: 'For load balancers and people' },
    ],
    paths: {
      ...Object.fromEntries(aggregates.flatMap(commandPaths)),
      ...Object.fromEntries(asked.map(query => [`/queries/${query.name}`, { get: queryOperation(query) }])),
      ...health.paths,
    },
    components: {
      schemas: {
        Problem: problem,
        Health: health.schema,
        ...Object.fromEntries(aggregates.flatMap(aggregateSchemas)),
        ...Object.fromEntries(asked.flatMap(querySchemas)),
      },
    },
  }
}

function commandPaths({ events, commands }: AnyAggregate): [string, unknown][] {
  const { category } = events
  return Object.keys(commands).map(command => [
    `/commands/${category}/{streamId}/${command}`,
    {
      post: {
        operationId: `${category}.${command}`,
        tags: [category],
        summary: `Sends ${command} to one ${category}`,
        parameters: [streamId, ...commandHeaders],
        requestBody: json(ref(inputName(category, command)), 'The input. An empty body is the input `{}`.'),
        responses: { 200: commandResult(category), default: problemResponse },
      },
    },
  ])
}

function queryOperation(query: AnyQuery): OpenApi {
  const { name } = query
  const single = query.ask.verb === 'get'
  return {
    operationId: name,
    tags: ['queries'],
    summary: `Asks ${name}`,
    parameters: [...parameterDocs(parametersOfQuery(query), queryInputName(name)), ...queryHeaders],
    responses: {
      200: { ...json(resultOf(query), single ? 'The row' : 'The rows'), headers: answerHeaders },
      ...(single && {
        404: { ...problemResponse, description: 'There is no such row: `query/not-found`', headers: answerHeaders },
      }),
      default: problemResponse,
    },
  }
}

function aggregateSchemas({ events, commands }: AnyAggregate): [string, JsonSchema][] {
  const { category } = events
  const types = Object.entries((events as AnyEvents).types)
  const eventNames = types.map(([type]) => ref(eventName(type)))
  return [
    ...Object.entries(commands).map(([command, { input }]) =>
      schemaEntry(inputName(category, command), input, 'input'),
    ),
    ...types.flatMap(([type, { schema }]): [string, JsonSchema][] => [
      schemaEntry(dataName(type), schema, 'output'),
      [eventName(type), envelope(category, type, ref(dataName(type)))],
    ]),
    [`${category}.Event`, eventNames.length === 0 ? {} : { oneOf: eventNames }],
  ]
}

function querySchemas(query: AnyQuery): [string, JsonSchema][] {
  const input = schemaEntry(queryInputName(query.name), query.input, 'input')
  return query.ask.verb === 'native' ? [input] : [input, rowEntry(query)]
}

function rowEntry({ from, rollup }: AnyQuery): [string, JsonSchema] {
  return rollup === undefined
    ? schemaEntry(rowName(from.name), from.row, 'output')
    : [groupName(from.name, rollup), groupSchema]
}

/** Which sums a group has, only its rollup's function knows. */
const groupSchema: JsonSchema = {
  type: 'object',
  properties: { group: { type: 'string' } },
  required: ['group'],
  additionalProperties: { type: 'integer' },
}

function schemaEntry(name: string, schema: Schema<unknown>, side: 'input' | 'output'): [string, JsonSchema] {
  return [name, embed(jsonSchemaOf(schema, side) ?? {}, name)]
}

/** What a query answers. Of a native query it is not known. */
function resultOf({ ask, from, rollup }: AnyQuery): JsonSchema {
  if (ask.verb === 'native') return {}
  const row = ref(rollup === undefined ? rowName(from.name) : groupName(from.name, rollup))
  switch (ask.verb) {
    case 'get':
      return row
    case 'many':
      return { type: 'array', items: { anyOf: [row, { type: 'null' }] } }
    case 'list':
      return {
        type: 'object',
        properties: { rows: { type: 'array', items: row }, next: { type: ['string', 'null'] } },
        required: ['rows', 'next'],
      }
  }
}

// Definitions are named in kebab-case or PascalCase, so that no two of these can be the same.
const inputName = (category: string, command: string): string => `${category}.${command}.Input`
const queryInputName = (query: string): string => `${query}.Input`
const rowName = (projection: string): string => `${projection}.Row`
const groupName = (projection: string, rollup: string): string => `${projection}.${rollup}.Group`
const eventName = (type: string): string => `Event.${type}`
const dataName = (type: string): string => `Event.${type}.Data`

const json = (schema: JsonSchema, description: string) => ({
  description,
  content: { 'application/json': { schema } },
})

const problemResponse = {
  description: 'What went wrong, by its code',
  content: { [problemMediaType]: { schema: ref('Problem') } },
}

const streamId = {
  name: 'streamId',
  in: 'path',
  required: true,
  description: 'Text without control characters, 1 to 256 bytes of UTF-8',
  schema: { type: 'string', minLength: 1, maxLength: 256 },
}

const answerHeaders = {
  'Bifold-As-Of': {
    description: 'The view contained every event up to this position when it was read',
    required: true,
    schema: { type: 'integer', minimum: 0 },
  },
  'Bifold-Token': {
    description: 'Of that position, or `Bifold-After` where that is later: the next query given it reads nothing older',
    required: true,
    schema: { type: 'string' },
  },
  'Bifold-Stale': {
    description:
      'Present where the view had not reached `Bifold-After` when the time was over, or a row stands still before it',
    schema: { const: 'true' },
  },
  'Bifold-Parked': {
    description: 'Present where a row that was asked for by key stands still, since an event of it could not be folded',
    schema: { const: 'true' },
  },
}
