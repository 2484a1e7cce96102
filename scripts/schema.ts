// Writes `src/postgres/schema.sql`: what the migrations make, so that a change of them shows its whole effect in review.

import { writeFile } from 'node:fs/promises'
import { openPglite } from '../src/postgres/index.ts'
import { migrate } from '../src/postgres/migrate.ts'
import { describeSchema } from './describe-schema.ts'

const database = await openPglite()
await migrate(database)
await writeFile(new URL('../src/postgres/schema.sql', import.meta.url), await describeSchema(database))
await database.close()
