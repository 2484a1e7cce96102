import type { DeadLetters, LoadedRow, RowKey, ViewCommit, ViewInAppend } from '../project/index.ts'
import type { Sql, Statement } from './client.ts'
import { type Ask, deadLettersOf, Full, writeParking } from './view-letters.ts'
import type { ViewName } from './view-referred.ts'

const holdStatement: Statement = {
  name: 'bifold_view_hold',
  text: 'select held, epoch, position, fingerprint, reserved, has_letters from bifold_views._hold_for_append($1, $2, $3)',
}

interface HoldRow {
  readonly held: boolean
  readonly epoch: number
  readonly position: number
  readonly fingerprint: string
  readonly reserved: boolean
  readonly has_letters: boolean
}

/** What the verbs of a view are made of that run in a transaction of somebody else's. */
export interface VerbsInAppend {
  readonly view: Pick<ViewName, 'projection' | 'generation'>
  /** Moves the checkpoint and writes rows and all beside them, but for dead letters. */
  write(sql: Sql, commit: ViewCommit): Promise<'committed' | 'fenced'>
  load(sql: Sql, keys: readonly RowKey[]): Promise<ReadonlyMap<string, LoadedRow>>
  moved(): void
}

/**
 * A generation within the transaction of an append. Errors pass as they are: they end that transaction, and whoever began
 * it gives them their code.
 */
export function viewInAppend({ view, write, load, moved }: VerbsInAppend, sql: Sql): ViewInAppend {
  const { projection, generation } = view
  const ask: Ask = (statement, values) => sql.query(statement, values)
  const letters: Pick<DeadLetters, 'held'> = deadLettersOf(projection, generation, 1, ask)
  return {
    hold: async waitMs => {
      const [row] = await sql.query<HoldRow>(holdStatement, [projection, generation, waitMs])
      if (row?.held !== true) return undefined
      const { epoch, position, fingerprint, reserved } = row
      const known = row.has_letters ? await letters.held(0) : {}
      return { epoch, position, fingerprint, isReserved: reserved, letters: known }
    },
    load: keys => load(sql, keys),
    commit: async commit => {
      try {
        // Nothing is written before it is known that there is room. The checkpoint of the only shard is held: nobody else
        // parks meanwhile, and to lock the generation after it would be the wrong way round.
        if (commit.parking !== undefined) await writeParking(sql, projection, generation, 0, commit.parking)
      } catch (error) {
        if (error instanceof Full) return 'full'
        throw error
      }
      return write(sql, commit)
    },
    moved,
  }
}
