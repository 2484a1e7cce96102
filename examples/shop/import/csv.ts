import { isUtf8 } from 'node:buffer'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CsvError, parse } from 'csv-parse/sync'
import { InputError } from './input-error.ts'

/** Reads the text of one field: its value, or what is wrong with it (`expected …`). */
export type Field<Value> = (text: string) => { readonly value: Value } | { readonly problem: string }

/** A line of a file: the value of each column that was asked for, and where it stands. */
export type Row<Columns extends Record<string, Field<unknown>>> = {
  readonly [Column in keyof Columns]: Columns[Column] extends Field<infer Value> ? Value : never
} & { readonly line: number }

interface Line {
  readonly record: readonly string[]
  /** Counts from 1; the header stands on it. */
  readonly line: number
}

/**
 * Reads a CSV file whole: UTF-8, comma-separated, its first line naming the columns. Columns that are not asked for are
 * passed over; every line has all of them.
 *
 * @throws `import/missing-file` · `import/missing-column` · `import/malformed-line` · `import/malformed-value`, for the
 * first thing that is wrong. There is no partial answer.
 */
export async function readCsv<Columns extends Record<string, Field<unknown>>>(
  folder: string,
  file: string,
  columns: Columns,
): Promise<readonly Row<Columns>[]> {
  const [header, ...lines] = linesOf(file, await contentOf(folder, file))
  const names = header?.record ?? []
  const fields = Object.entries(columns).map(([column, field]) => {
    const index = names.indexOf(column)
    if (index === -1) throw new InputError('import/missing-column', { file, line: header?.line ?? 1, column })
    return { column, field, index }
  })
  return lines.map(({ record, line }) => {
    if (record.length !== names.length) {
      const problem = `it has ${record.length} fields where the header has ${names.length}`
      throw new InputError('import/malformed-line', { file, line, problem })
    }
    const row: Record<string, unknown> = { line }
    for (const { column, field, index } of fields) {
      const read = field(record[index] ?? '')
      if ('problem' in read) {
        throw new InputError('import/malformed-value', { file, line, column, problem: read.problem })
      }
      row[column] = read.value
    }
    return row as Row<Columns>
  })
}

async function contentOf(folder: string, file: string): Promise<Buffer> {
  const content = await readFile(join(folder, file)).catch(() => undefined)
  if (content === undefined) throw new InputError('import/missing-file', { file })
  if (!isUtf8(content)) {
    const lines = content.toString('latin1').split('\n')
    const line = 1 + lines.findIndex(text => !isUtf8(Buffer.from(text, 'latin1')))
    throw new InputError('import/malformed-line', { file, line, problem: 'it is not UTF-8 text' })
  }
  return content
}

function linesOf(file: string, content: Buffer): readonly Line[] {
  const lines: Line[] = []
  // The parser says on which line a record ends, and an error on which line it gave up: with line breaks in quotes,
  // both are further down than where the record begins, which is behind the one before it.
  let ended = 0
  const onRecord = (record: readonly string[], info: { readonly lines: number }): null => {
    lines.push({ record, line: ended + 1 })
    ended = info.lines
    return null
  }
  try {
    parse(content, { bom: true, relax_column_count: true, on_record: onRecord })
    return lines
  } catch (error) {
    if (!(error instanceof CsvError)) throw error
    throw new InputError('import/malformed-line', { file, line: ended + 1, problem: `it is not CSV (${error.code})` })
  }
}
