import { readFileSync } from 'node:fs'

/**
 * Prints `N passed, N failed` for a run of the test command: its tests, from vitest's JSON report, and its checks
 * (types, lint, format, …), which come first and count as one. Exits with 1 unless all passed.
 */

interface Report {
  readonly testResults: readonly {
    readonly name: string
    readonly status: string
    readonly assertionResults: readonly { readonly status: string }[]
  }[]
}

const [file = '', status = ''] = process.argv.slice(2)
const text = readFileSync(file, 'utf8')

let passed = 0
let failed = 0
if (text !== '') {
  // There is a report, so the checks before the tests have passed.
  passed++
  for (const { status, assertionResults } of (JSON.parse(text) as Report).testResults) {
    const failures = assertionResults.filter(test => test.status === 'failed').length
    passed += assertionResults.filter(test => test.status === 'passed').length
    // A file that could not even be loaded has no tests to fail.
    failed += failures === 0 && status === 'failed' ? 1 : failures
  }
}
// Whatever else went wrong (a check, the installation, an error outside of every test) must not look green.
if (status !== '0' && failed === 0) failed = 1

console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
