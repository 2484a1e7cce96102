import { catalogue } from './error-catalogue.ts'

type Catalogue = typeof catalogue

/** The stable code of an error. */
export type ErrorCode = keyof Catalogue

/** What an error of a given code carries. */
export type ErrorData<Code extends ErrorCode> = Parameters<Catalogue[Code]>[0]

/** An error of the catalogue. Recognise it by `code` (`isError`), never by its class or message. */
export class BifoldError<Code extends ErrorCode = ErrorCode> extends Error {
  readonly code: Code
  readonly data: ErrorData<Code>

  constructor(code: Code, data: ErrorData<Code>, options?: ErrorOptions) {
    super((catalogue[code] as (data: ErrorData<Code>) => string)(data), options)
    this.name = 'BifoldError'
    this.code = code
    this.data = data
  }
}

/** Is `error` the catalogue's error `code`? Works across copies of the package and across realms. */
export function isError<Code extends ErrorCode>(error: unknown, code: Code): error is BifoldError<Code> {
  return error instanceof Object && 'code' in error && error.code === code
}

/** Every code, in the catalogue's order. */
export const errorCodes = Object.keys(catalogue) as readonly ErrorCode[]
