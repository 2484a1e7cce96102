import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A temporary directory, for an embedded database that is opened more than once, and what removes it. */
export async function freshDirectory(): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'bifold-'))
  return { path, remove: () => rm(path, { recursive: true, force: true }) }
}
