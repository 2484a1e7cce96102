import type { JsonSchema } from '../define/index.ts'
import type { ProjectionStatus } from '../project/index.ts'
import { ref } from './embed-schema.ts'
import { visibleCodes } from './status-of.ts'

/** The parts of the document that are the same for every app. */

const position = { type: 'integer', minimum: 0 }
const tenant = {
  name: 'Bifold-Tenant',
  in: 'header',
  description: 'Percent-encoded. Default: `default`. A server that authenticates may set it itself',
  schema: { type: 'string' },
}

export const commandHeaders = [
  {
    name: 'Idempotency-Key',
    in: 'header',
    description: 'The id of the command: the same id has the same outcome, however often it is sent. Quoted or bare',
    schema: { type: 'string', minLength: 1, maxLength: 258 },
  },
  {
    name: 'If-Match',
    in: 'header',
    description: 'The version of the stream to decide on, in quotes; otherwise 412',
    schema: { type: 'string', pattern: '^"(0|[1-9][0-9]{0,15})"$' },
  },
  {
    name: 'If-None-Match',
    in: 'header',
    description: 'Decide only on a stream without events; otherwise 412',
    schema: { const: '*' },
  },
  tenant,
  {
    name: 'Bifold-Correlation-Id',
    in: 'header',
    description: 'Goes into the metadata of the events',
    schema: { type: 'string', pattern: '^[\\x21-\\x7e]{1,256}$' },
  },
  {
    name: 'Bifold-Causation-Id',
    in: 'header',
    description: 'Goes into the metadata of the events',
    schema: { type: 'string', pattern: '^[\\x21-\\x7e]{1,256}$' },
  },
  {
    name: 'traceparent',
    in: 'header',
    description: 'W3C trace context. Goes into the metadata of the events; a malformed one is ignored',
    schema: { type: 'string' },
  },
]

export const queryHeaders = [
  {
    name: 'Bifold-After',
    in: 'header',
    description: 'The token of a command, or of an earlier answer: the answer is no older than that',
    schema: { type: 'string' },
  },
  {
    name: 'Bifold-Wait-Ms',
    in: 'header',
    description: 'How long to wait for that, in milliseconds',
    schema: { type: 'integer', minimum: 0, maximum: 60_000, default: 5000 },
  },
  {
    name: 'Bifold-On-Timeout',
    in: 'header',
    description: 'What to do when that time is over: an error, or the answer as it is, marked by `Bifold-Stale`',
    schema: { enum: ['error', 'stale'], default: 'error' },
  },
  tenant,
]

export function commandResult(category: string): JsonSchema {
  return {
    description: 'The command was accepted',
    headers: {
      'Bifold-Token': { required: true, description: 'The same as `token`', schema: { type: 'string' } },
      ETag: { required: true, description: 'The version of the stream, for `If-Match`', schema: { type: 'string' } },
    },
    content: {
      'application/json': {
        schema: {
          type: 'object',
          properties: {
            events: { type: 'array', items: ref(`${category}.Event`) },
            version: { ...position, description: 'Of the stream, after the command' },
            position: { ...position, description: 'Of the log; it holds everything that the command wrote' },
            token: { type: 'string', description: 'Give it to a query as `Bifold-After`' },
            repeated: { type: 'boolean', description: 'The command had been carried out before' },
          },
          required: ['events', 'version', 'position', 'token', 'repeated'],
        },
      },
    },
  }
}

/** The schema of a recorded event. */
export function envelope(category: string, type: string, data: JsonSchema): JsonSchema {
  const properties = {
    category: { const: category },
    type: { const: type },
    data,
    id: { type: 'string', format: 'uuid' },
    tenant: { type: 'string' },
    streamId: { type: 'string' },
    version: { type: 'integer', minimum: 1 },
    position: { type: 'integer', minimum: 1 },
    schemaVersion: { type: 'integer', minimum: 1 },
    tags: { type: 'array', items: { type: 'string' } },
    metadata: { type: 'object', additionalProperties: { type: 'string' } },
    recordedAt: { type: 'string', format: 'date-time' },
  }
  return { type: 'object', properties, required: Object.keys(properties) }
}

export const problem: JsonSchema = {
  type: 'object',
  description: 'An error, as RFC 9457 says it. Match on `code`',
  properties: {
    type: { type: 'string', format: 'uri-reference' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    code: { enum: visibleCodes },
    reason: { type: 'string', description: 'Of a rejection: which rule of the domain says no' },
    details: { type: 'object', description: 'Of a rejection: what the domain adds' },
    issues: {
      type: 'array',
      description: 'Of an invalid input: where it is wrong, and how',
      items: {
        type: 'object',
        properties: { path: { type: 'string' }, message: { type: 'string' } },
        required: ['path', 'message'],
      },
    },
  },
  required: ['type', 'title', 'status', 'detail'],
}

/** The compiler misses none. */
const states = {
  starting: true,
  'catching-up': true,
  live: true,
  failed: true,
  paused: true,
  stopped: true,
  standby: true,
} satisfies Record<ProjectionStatus['state'], true>

const healthSchema: JsonSchema = {
  type: 'object',
  properties: {
    status: { enum: ['ready', 'not-ready'] },
    reasons: { type: 'array', items: { type: 'string' } },
    views: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          projection: { type: 'string' },
          state: { enum: Object.keys(states) },
          position,
          behind: { ...position, description: 'How many events of the log are not in the view yet' },
          failure: { type: 'string', description: 'The code of what stopped it' },
          parkedKeys: { type: 'integer', description: 'How many keys stand still, where any do' },
          generations: {
            type: 'array',
            description: 'Where there is more than one: which serves, and how far the others are',
            items: {
              type: 'object',
              properties: {
                generation: { type: 'integer' },
                version: { type: 'integer' },
                role: { enum: ['serving', 'building', 'following'] },
                behind: position,
              },
              required: ['generation', 'version', 'role', 'behind'],
            },
          },
        },
        required: ['projection', 'state', 'position', 'behind'],
      },
    },
  },
  required: ['status', 'reasons', 'views'],
}

const healthBody = { content: { 'application/json': { schema: ref('Health') } } }

export const health = {
  schema: healthSchema,
  paths: {
    '/health/live': {
      get: {
        operationId: 'health.live',
        tags: ['health'],
        responses: {
          200: {
            description: 'This process answers',
            content: {
              'application/json': {
                schema: { type: 'object', properties: { status: { const: 'live' } }, required: ['status'] },
              },
            },
          },
        },
      },
    },
    '/health/ready': {
      get: {
        operationId: 'health.ready',
        tags: ['health'],
        responses: {
          200: { description: 'Send it requests', ...healthBody },
          503: { description: 'Send it none', ...healthBody },
        },
      },
    },
  },
}
