// Builds `dist`: compiles `src` without its tests, and puts the SQL files beside the code that reads them.
// It is built aside and swapped in, so that a process that runs from `dist` never meets half of it.

import { execFileSync } from 'node:child_process'
import { cpSync, globSync, renameSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))

const aside = `.dist-${process.pid}`
try {
  execFileSync('node_modules/.bin/tsc', ['-p', 'tsconfig.build.json', '--outDir', aside], { stdio: 'inherit' })
  for (const from of globSync('src/**/*.sql')) cpSync(from, from.replace(/^src/, aside))
  rmSync('dist', { recursive: true, force: true })
  renameSync(aside, 'dist')
} catch (error) {
  rmSync(aside, { recursive: true, force: true })
  // The compiler has said what is wrong.
  if (!(error instanceof Error && 'status' in error)) throw error
  process.exitCode = 1
}
