/**
 * What can be wrong with the files of an import. A message names the file, the line and the column, and says what was
 * expected there; the text that was found stays out of it, because it may be somebody's personal data.
 */
const catalogue = {
  'import/missing-folder': (at: { folder: string }) => `${at.folder}: there is no such folder.`,
  'import/missing-file': (at: { file: string }) => `${at.file}: the file is missing or cannot be read.`,
  'import/missing-column': (at: { file: string; line: number; column: string }) =>
    `${at.file}, line ${at.line}: the column "${at.column}" is missing.`,
  'import/malformed-line': (at: { file: string; line: number; column: string; problem: string }) =>
    `${at.file}, line ${at.line}, column "${at.column}": ${at.problem}.`,
  'import/malformed-value': (at: { file: string; line: number; column: string; problem: string }) =>
    `${at.file}, line ${at.line}, column "${at.column}": ${at.problem}.`,
  'import/unknown-reference': (at: { file: string; line: number; column: string; target: string }) =>
    `${at.file}, line ${at.line}, column "${at.column}": it refers to a row that is not in ${at.target}.`,
  'import/duplicate-row': (at: { file: string; line: number; column: string; firstLine: number }) =>
    `${at.file}, line ${at.line}, column "${at.column}": line ${at.firstLine} has the same value, which must be unique.`,
} as const

type Catalogue = typeof catalogue
export type InputErrorCode = keyof Catalogue

/** Something in the files of an import that is not as it must be. Nothing was sent. Recognise it by `code`. */
export class InputError<Code extends InputErrorCode = InputErrorCode> extends Error {
  readonly code: Code
  readonly data: Parameters<Catalogue[Code]>[0]

  constructor(code: Code, data: Parameters<Catalogue[Code]>[0]) {
    super((catalogue[code] as (data: Parameters<Catalogue[Code]>[0]) => string)(data))
    this.name = 'InputError'
    this.code = code
    this.data = data
  }
}

export function isInputError(error: unknown): error is InputError {
  return error instanceof Error && 'code' in error && Object.hasOwn(catalogue, String(error.code))
}
