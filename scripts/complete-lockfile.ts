import { readFileSync, writeFileSync } from 'node:fs'

/**
 * Adds to the lock file those optional packages for other platforms that the registry at hand did not offer. `npm ci`
 * refuses a lock file in which they are missing, though it would install none of them. Run it after `npm install`.
 */
interface Locked {
  version?: string
  optionalDependencies?: Record<string, string>
  [field: string]: unknown
}

const file = new URL('../package-lock.json', import.meta.url)
const lock = JSON.parse(readFileSync(file, 'utf8')) as { packages: Record<string, Locked> }

const added: string[] = []
for (const locked of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(locked.optionalDependencies ?? {})) {
    const path = `node_modules/${name}`
    if (lock.packages[path] !== undefined || !/^\d/.test(version)) continue
    lock.packages[path] = { version, ...platformOf(name), dev: true, optional: true }
    added.push(name)
  }
}
if (added.length > 0) {
  const sorted = Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1))
  writeFileSync(file, `${JSON.stringify({ ...lock, packages: Object.fromEntries(sorted) }, null, 2)}\n`)
}
console.log(`${added.length} packages of other platforms added to package-lock.json`)

/** Such packages carry their platform in their name: `binding-linux-x64-musl`. */
function platformOf(name: string): { os: string[]; cpu: string[]; libc?: string[] } {
  const os = /android|darwin|freebsd|linux|openharmony|win32/.exec(name)?.[0]
  const cpu = /arm64|arm|ia32|ppc64|riscv64|s390x|x64/.exec(
    name.replace(/^.*?(android|darwin|freebsd|linux|openharmony|win32)/, ''),
  )?.[0]
  if (os === undefined || cpu === undefined) throw new Error(`no platform in the name ${name}`)
  const libc = os !== 'linux' ? undefined : name.includes('musl') ? 'musl' : 'glibc'
  return { os: [os], cpu: [cpu], ...(libc === undefined ? {} : { libc: [libc] }) }
}
