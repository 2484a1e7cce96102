import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { freshDirectory } from '../../test/support/directories.ts'
import { openPglite, openPostgres } from './index.ts'

test('a directory that cannot hold a database is named, with a code', async () => {
  const { path: directory, remove } = await freshDirectory()
  onTestFinished(remove)
  const file = join(directory, 'file')
  await writeFile(file, '')
  await expect(openPglite(file)).rejects.toMatchObject({
    code: 'embedded/unusable-directory',
    data: { directory: file },
  })
  const damaged = join(directory, 'damaged')
  await mkdir(join(damaged, 'data'), { recursive: true })
  await writeFile(join(damaged, 'data', 'PG_VERSION'), 'none')
  await expect(openPglite(damaged)).rejects.toMatchObject({ code: 'embedded/unusable-directory' })
})

test('what is no URL of a PostgreSQL is refused before anything is opened', async () => {
  for (const url of ['notaurl', 'mysql://localhost/shop', '']) {
    await expect(openPostgres(url)).rejects.toMatchObject({ code: 'setup/invalid-option', data: { option: 'url' } })
  }
})
