/** What `npm start` takes from its environment. */
export interface Settings {
  /** `PORT`: where to serve. Default 3000; 0 takes a free one. */
  readonly port: number
  /** `DATABASE_URL`: the PostgreSQL to run on. Absent: the embedded database. */
  readonly databaseUrl: string | undefined
  /** `DATA_DIR`: where the embedded database lives. Default `.data/shop`. */
  readonly dataDir: string
  /** `SHOP_RATE`: how many commands the simulated customers send in a second. Default 20; 0 sends them home. */
  readonly commandsPerSecond: number
}

/** @throws `shop/invalid-setting`, naming the variable. */
export function settingsFrom(env: Readonly<Record<string, string | undefined>>): Settings {
  return {
    port: wholeNumber(env, 'PORT', { missing: 3000, most: 65_535 }),
    databaseUrl: databaseUrl(env['DATABASE_URL']),
    dataDir: env['DATA_DIR'] || '.data/shop',
    commandsPerSecond: wholeNumber(env, 'SHOP_RATE', { missing: 20, most: 5_000 }),
  }
}

function databaseUrl(given: string | undefined): string | undefined {
  if (given === undefined || given === '') return undefined
  if (/^postgres(ql)?:\/\//.test(given) && URL.canParse(given)) return given
  // The value stays out of the message: it may hold a password
  throw invalid('DATABASE_URL will not do. It must be like postgres://user:password@host:5432/database.')
}

function invalid(message: string): Error {
  return Object.assign(new Error(message), { code: 'shop/invalid-setting' })
}

function wholeNumber(
  env: Readonly<Record<string, string | undefined>>,
  name: string,
  { missing, most }: { readonly missing: number; readonly most: number },
): number {
  const given = env[name]
  if (given === undefined || given === '') return missing
  const value = Number(given)
  if (!/^\d+$/.test(given) || value > most) {
    throw invalid(`${name} is ${JSON.stringify(given)}. It must be a whole number from 0 to ${most}.`)
  }
  return value
}
