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
      const problem = `the line has ${record.length} fields where the header has ${names.length}`
      const column = names[Math.min(record.length, names.length - 1)] ?? ''
      throw new InputError('import/malformed-line', { file, line, column, problem })
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
  if (!isUtf8(content)) throw notUtf8(file, content)
  return content
}

/** The separators are the same bytes in Latin-1, in which any bytes are text: so the place can be told. */
function notUtf8(file: string, content: Buffer): InputError {
  const [header, ...lines] = linesOf(file, content.toString('latin1'))
  const isBroken = (text: string): boolean => !isUtf8(Buffer.from(text, 'latin1'))
  const broken = lines.find(({ record }) => record.some(isBroken))
  const column = header?.record[broken?.record.findIndex(isBroken) ?? 0] ?? ''
  return new InputError('import/malformed-line', {
    file,
    line: broken?.line ?? 1,
    column,
    problem: 'the bytes are not UTF-8',
  })
}

function linesOf(file: string, content: Buffer | string): readonly Line[] {
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
    const place = Number((error as unknown as { readonly column?: number }).column ?? 0)
    const column = lines[0]?.record[place] ?? String(place + 1)
    const problem = `it is not CSV (${error.code})`
    throw new InputError('import/malformed-line', { file, line: ended + 1, column, problem })
  }
}
