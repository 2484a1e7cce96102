import { afterAll, afterEach, beforeAll } from 'vitest'
import type { App, NewEvent } from '../define/index.ts'
import { createLog, defaultTenant, type EventLog, type LogStorage } from '../log/index.ts'
import { type Projector, type ProjectorOptions, type ProjectorSettings, startProjector } from './projector.ts'
import type { ProjectionStatus } from './status.ts'
import type { View, ViewStore } from './store.ts'

/** A log and a store under test. */
export interface ProjectorUnderTest {
  readonly log: LogStorage
  readonly store: ViewStore
  /** The same views as another process has them. */
  readonly other: ViewStore
  /** Rows are in a store without transactions, which has no rollups. Default false. */
  readonly isApart?: boolean
  close(): Promise<void>
}

/** Looks until there is something, and answers with it. */
export async function until<T>(look: () => Promise<T | undefined | false>): Promise<T> {
  for (;;) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    await new Promise(resolve => setTimeout(resolve, 2))
  }
}

/** What a projector says of the first of its projections of which this holds, once it does. */
export const statusWhere = (
  projector: Projector,
  is: (status: ProjectionStatus) => boolean,
): Promise<ProjectionStatus> => until(async () => (await projector.status()).find(is))

/** The documents of rows that were loaded, by `rowId`. */
export const docsOf = (found: Awaited<ReturnType<View['load']>>): Map<string, string> =>
  new Map(Array.from(found).flatMap(([id, { doc }]) => (doc === null ? [] : [[id, doc] as const])))

/**
 * A log and a store for the tests of one suite, and projectors that end with each test.
 *
 * @param contracts has the events of the log.
 * @param settings of each projector, where it is started with no others.
 */
export function projectorUnderTest(
  make: () => Promise<ProjectorUnderTest>,
  contracts: App,
  settings: ProjectorSettings = {},
) {
  let tested: ProjectorUnderTest
  let log: EventLog
  let started: Projector[] = []
  beforeAll(async () => {
    tested = await make()
    log = await createLog(tested.log, { eventTypes: contracts.eventTypes })
  })
  afterEach(async () => {
    await Promise.all(started.map(projector => projector.stop()))
    started = []
  })
  afterAll(async () => {
    await log.close()
    await tested.close()
  })
  return {
    get tested(): ProjectorUnderTest {
      return tested
    },
    get log(): EventLog {
      return log
    },
    /** Those that end with the test. */
    get started(): readonly Projector[] {
      return started
    },
    /** It is not stopped with the test: it stands for one that is dead, and waits for ever. */
    abandon(dead: Projector): void {
      started = started.filter(one => one !== dead)
    },
    /** @returns the position of the last event of the log. */
    async append(category: string, id: string, ...added: readonly NewEvent[]): Promise<number> {
      await log.append({ stream: { tenant: defaultTenant, category, id }, expected: 'any', events: added })
      return (await log.head()).position
    },
    async start(options: Pick<ProjectorOptions, 'app'> & Partial<ProjectorOptions>): Promise<Projector> {
      const projector = await startProjector({ log, store: tested.store, ...settings, ...options })
      started.push(projector)
      return projector
    },
  }
}
