import { globSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The repository's folder. */
export const root = fileURLToPath(new URL('../..', import.meta.url))

/** Paths below the repository's folder that match, in order. Nothing that was installed or built. */
export function filesOf(...patterns: readonly string[]): readonly string[] {
  return globSync([...patterns], { cwd: root, exclude: ['**/node_modules/**', '**/dist/**', '**/.dist-*/**'] }).sort()
}

export function textOf(file: string): string {
  return readFileSync(join(root, file), 'utf8')
}

/** Everything that is written by hand in TypeScript. */
export const sources = filesOf('*.ts', '{src,test,examples,bench,scripts,docs}/**/*.{ts,mts}')

/** A test, a type test or a contract suite: what is never published. */
export function isTest(file: string): boolean {
  return /\.(test|test-d|contract)\.ts$/.test(file) || file.startsWith('test/')
}

/** The folders below `src` that have an `index.ts`: the parts, as `define` or `stores/memory`. */
export const parts = filesOf('src/**/index.ts')
  .map(file => relative('src', dirname(file)))
  .filter(part => part !== '')

/** The part that a file belongs to; undefined outside of them. */
export function partOf(file: string): string | undefined {
  return parts.find(part => file.startsWith(`src/${part}/`))
}
