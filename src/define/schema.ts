/**
 * The two faces of a schema that Bifold uses: Standard Schema (does a value fit?) and Standard JSON Schema
 * (what shape is it?). Both are structural, so any library that carries `~standard` will do.
 * @see https://standardschema.dev
 */
export interface Schema<Output, Input = unknown> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
    readonly jsonSchema?: {
      readonly input: (options: { readonly target: 'draft-2020-12' }) => JsonSchema
      readonly output: (options: { readonly target: 'draft-2020-12' }) => JsonSchema
    }
  }
}

export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] }

export interface SchemaIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/**
 * A value as a user's function may hand it in: a `T` whose arrays and objects may be readonly. Inference with `const`,
 * which keeps literals what they are, makes every array literal readonly; schemas give arrays that are not.
 */
export type Given<T> = T extends Scalar | ((...args: never) => unknown)
  ? T
  : T extends readonly (infer Item)[]
    ? readonly Given<Item>[]
    : T extends object
      ? { readonly [Key in keyof T]: Given<T[Key]> }
      : T

/** Branded ones are objects too, as far as types go: they stay what they are. */
type Scalar = string | number | bigint | boolean | symbol | null | undefined

/** A JSON Schema document (draft 2020-12), as plain data. */
export type JsonSchema = Record<string, unknown>

/** One thing that is wrong with a value: where (`lines.0.quantity`), and what. Never the value itself. */
export interface Issue {
  readonly path: string
  readonly message: string
}

export type Checked<T> = { readonly value: T; readonly issues?: undefined } | { readonly issues: readonly Issue[] }

/**
 * Checks `value` against `schema`. Validation is synchronous: a schema that answers with a promise is
 * reported as an issue, because a decision or a fold cannot wait.
 */
export function check<T>(schema: Schema<T>, value: unknown): Checked<T> {
  const result = schema['~standard'].validate(value)
  if (result instanceof Promise) {
    result.catch(() => undefined)
    return { issues: [{ path: '', message: 'the schema validates asynchronously; Bifold needs a synchronous one' }] }
  }
  if (result.issues === undefined) return { value: result.value }
  return { issues: result.issues.map(issue => ({ path: pathOf(issue), message: issue.message })) }
}

function pathOf(issue: SchemaIssue): string {
  return (issue.path ?? []).map(segment => String(typeof segment === 'object' ? segment.key : segment)).join('.')
}

/** The JSON Schema of what goes into `schema` or comes out of it, or `undefined` where the library cannot say. */
export function jsonSchemaOf(schema: Schema<unknown>, side: 'input' | 'output'): JsonSchema | undefined {
  try {
    return schema['~standard'].jsonSchema?.[side]({ target: 'draft-2020-12' })
  } catch {
    return undefined
  }
}
