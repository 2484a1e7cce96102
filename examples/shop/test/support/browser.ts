import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'
import { describe } from 'vitest'

const places = [
  process.env['CHROMIUM_PATH'],
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
]
const executablePath = places.find(path => path !== undefined && existsSync(path))
const required = process.env['BIFOLD_REQUIRE_BROWSER'] === '1'

/**
 * A suite in a real browser. Where there is none it is skipped, with the reason in its name;
 * `BIFOLD_REQUIRE_BROWSER=1` makes that a failure.
 */
export function describeInBrowser(name: string, tests: () => void): void {
  if (executablePath !== undefined || required) describe(name, tests)
  else describe.skip(`${name} [skipped: there is no Chromium; CHROMIUM_PATH names one]`, tests)
}

/** Starts Chromium with a profile of its own, which ends with it. */
export async function startBrowser(): Promise<Browser> {
  if (executablePath === undefined) throw new Error('There is no Chromium: install it, or name it in CHROMIUM_PATH')
  const args = [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ]
  return await chromium.launch({ executablePath, args, headless: true })
}
