import { dirname, join } from 'node:path'

export interface Import {
  /** As written: `../log/index.ts`, `pg`. */
  readonly specifier: string
  /** Erased when the file runs. */
  readonly typeOnly: boolean
  /** `import('…')`: loaded when it is used, or a type. */
  readonly dynamic: boolean
}

// The formatter writes every import in one of these ways. (TypeScript 7 has no API that a tool could read them by.)
const statement = /^(?:import|export)\s+(type\s+)?(?:[\w*{}\s,$]+?\s+from\s+)?'([^']+)'/gm
const expression = /\bimport\(\s*'([^']+)'/g

/** What a source file imports, statically, dynamically and as types. */
export function importsOf(text: string): readonly Import[] {
  const found: Import[] = []
  for (const [, type, specifier] of text.matchAll(statement)) {
    if (specifier !== undefined) found.push({ specifier, typeOnly: type !== undefined, dynamic: false })
  }
  for (const [, specifier] of text.matchAll(expression)) {
    if (specifier !== undefined) found.push({ specifier, typeOnly: false, dynamic: true })
  }
  return found
}

/** The file that a relative import of `file` names; undefined for packages. */
export function targetOf(file: string, specifier: string): string | undefined {
  return specifier.startsWith('.') ? join(dirname(file), specifier) : undefined
}

/** `@scope/name` or `name` of a package import; undefined for files and what comes with Node. */
export function packageOf(specifier: string): string | undefined {
  if (specifier.startsWith('.') || specifier.startsWith('node:')) return undefined
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}
