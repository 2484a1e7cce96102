import { setTimeout as sleep } from 'node:timers/promises'
import type { AnyProjection, RecordedEvent, System } from '../../src/index.ts'
import { type EventLog, origin } from '../../src/log/index.ts'
import { type ViewStore, viewShapeOf } from '../../src/project/index.ts'
import { verify } from '../../src/verify/index.ts'
import { openDepot } from './open-depot.ts'
import type { ParkedAt } from './operator.ts'
import { depot } from './parcels.ts'

/** A command of which a writer heard that it was accepted. */
export interface Heard {
  readonly id: string
  readonly position: number
  readonly events: number
}

/** What the log and the views are found to be, once everybody has stopped: a sentence for each thing that is wrong. */
export async function judge(
  url: string,
  heard: readonly Heard[],
  stood: readonly ParkedAt[],
): Promise<readonly string[]> {
  // Generations that nobody needs any more are behind for ever, and gone soon.
  const system = await openDepot(url, { projections: { rebuild: { retireAfterMs: 500 } } })
  try {
    await system.drain({ timeoutMs: 60_000 })
    await allFollowed(system)
    const left: string[] = []
    for (const projection of depot.projections) {
      const { parked } = await system.deadLetters.retryAll(projection, { timeoutMs: 60_000 })
      left.push(...parked.map(({ key, code }) => `${projection.name}: ${key} is still parked: ${code}`))
    }
    const all = await wholeLog(system.log)
    const views = await Promise.all(depot.projections.map(projection => judgeView(system, projection, all)))
    return [...judgeLog(all), ...judgeHeard(heard, all), ...judgeParked(stood, all), ...left, ...views.flat()]
  } finally {
    await system.close()
  }
}

/** The generations that do not serve are there too, or the test's time is over. */
async function allFollowed(system: System): Promise<void> {
  const isBehind = async () =>
    (await system.status()).some(({ generations }) => generations.some(one => one.behind > 0))
  while (await isBehind()) await sleep(50)
}

async function wholeLog(log: EventLog): Promise<readonly RecordedEvent[]> {
  const all: RecordedEvent[] = []
  for (let from = origin; ; ) {
    const page = await log.read(from)
    all.push(...page.events)
    from = page.through
    if (page.atHead) return all
  }
}

function judgeLog(all: readonly RecordedEvent[]): readonly string[] {
  const wrong: string[] = []
  const versions = new Map<string, number>()
  for (const [n, { position, streamId, version }] of all.entries()) {
    if (position !== n + 1) wrong.push(`log: position ${position} stands at place ${n + 1}`)
    const before = versions.get(streamId) ?? 0
    if (version !== before + 1) wrong.push(`log: ${streamId} has version ${version} after ${before}`)
    versions.set(streamId, version)
  }
  return wrong
}

/** Whatever was acknowledged is in the log, once, where it was said to be; and no command is there twice. */
function judgeHeard(heard: readonly Heard[], all: readonly RecordedEvent[]): readonly string[] {
  const byCommand = Map.groupBy(all, event => event.metadata.commandId ?? '')
  const doubled = [...byCommand].filter(([, events]) => events.length > 1).map(([id]) => `log: ${id} is there twice`)
  const lost = heard
    .filter(({ id, position, events }) => events > 0 && byCommand.get(id)?.[0]?.position !== position)
    .map(({ id, position }) => `log: ${id} was acknowledged at ${position} and is not there`)
  return [...doubled, ...lost]
}

/** Nothing stood still but at events that are poison. */
function judgeParked(stood: readonly ParkedAt[], all: readonly RecordedEvent[]): readonly string[] {
  const healthy = stood.filter(({ position }) => !isPoison(all[position - 1]))
  return healthy.map(
    ({ projection, key, position }) => `${projection}: ${key} stood still at ${position}, which cannot fail`,
  )
}

const isPoison = (event: RecordedEvent | undefined): boolean =>
  event !== undefined && (event.data as { readonly isPoison?: boolean }).isPoison === true

/**
 * Each generation of the view has to be what a fresh single-threaded fold makes: once by `verify`, which compares bytes,
 * and once by a loop that has nothing of the engine in it.
 */
async function judgeView(
  system: { readonly log: EventLog; readonly views: ViewStore },
  projection: AnyProjection,
  all: readonly RecordedEvent[],
): Promise<readonly string[]> {
  const wrong: string[] = []
  for (const { generation } of await system.views.generations(projection.name)) {
    const name = `${projection.name}, generation ${generation}`
    const verification = await verify(system, projection, { generation })
    if (!verification.equal) {
      const { differences, sumDifferences } = verification
      wrong.push(
        `${name}: is not equal`,
        ...[...differences, ...sumDifferences].map(one => `${name}: ${JSON.stringify(one)}`),
      )
    }
    const view = await system.views.open(viewShapeOf(projection), generation)
    const checkpoints = await view.checkpoints()
    const lowest = Math.min(...checkpoints.map(({ position }) => position))
    if (lowest < all.length) {
      wrong.push(`${name}: stands at ${lowest} of ${all.length}`)
      continue
    }
    const skipped = await view.letters.skips()
    const skips = new Set(skipped.map(({ key, position }) => `${position} ${key}`))
    const healthy = skipped.filter(({ position }) => !isPoison(all[position - 1]))
    wrong.push(...healthy.map(({ key, position }) => `${name}: ${key} was skipped at ${position}, which cannot fail`))
    const folded = plainRows(projection, all, skips)
    const { rows: stored, sums } = await readAll(view)
    const parked = new Set((await view.letters.list({ limit: 1000 })).map(({ key }) => key))
    const keys = [...folded.keys(), ...stored.keys()].filter(key => !parked.has(key))
    const unequal = keys.filter(key => canonical(folded.get(key)) !== canonical(stored.get(key)))
    wrong.push(...unequal.map(key => `${name}: ${key} is not what the log makes`))
    const expected = parked.size === 0 ? plainSums(projection, folded) : sums
    if (canonical(sums) !== canonical(expected)) {
      wrong.push(`${name}: the sums are ${canonical(sums)}, and the rows make ${canonical(expected)}`)
    }
  }
  return wrong
}

type Rows = ReadonlyMap<string, Readonly<Record<string, unknown>>>
/** By rollup, group and name. */
type Sums = Readonly<Record<string, number>>

async function readAll(
  view: Awaited<ReturnType<ViewStore['open']>>,
): Promise<{ readonly rows: Rows; readonly sums: Sums }> {
  return await view.snapshot(async snapshot => {
    const rows = new Map<string, Readonly<Record<string, unknown>>>()
    for await (const page of snapshot.pages) for (const { key, doc } of page) rows.set(key, JSON.parse(doc))
    const sums: Record<string, number> = {}
    for await (const page of snapshot.sums) {
      for (const { rollup, group, sum, value } of page) if (sum !== '') add(sums, [rollup, group, sum], Number(value))
    }
    return { rows, sums }
  })
}

function add(sums: Record<string, number>, path: readonly string[], value: number): void {
  const name = path.join(' ')
  sums[name] = (sums[name] ?? 0) + value
}

/** What the three stages make of the whole log, at its end. */
function plainRows(projection: AnyProjection, all: readonly RecordedEvent[], skips: ReadonlySet<string>): Rows {
  const states = fold(projection, all, skips) as Rows
  const { present, refs } = projection
  if (present === undefined) return states
  const referred = Object.entries(refs).map(([name, ref]) => ({ name, ref, rows: plainRows(ref.to, all, new Set()) }))
  const rows = new Map<string, Readonly<Record<string, unknown>>>()
  for (const [key, state] of states) {
    const found = referred.map(({ name, ref, rows: others }) => [name, others.get(ref.key(state) ?? '') ?? null])
    rows.set(key, present(state, Object.fromEntries(found)) as Readonly<Record<string, unknown>>)
  }
  return rows
}

function plainSums({ rollups }: AnyProjection, rows: Rows): Sums {
  const sums: Record<string, number> = {}
  for (const [rollup, { by, sum }] of Object.entries(rollups)) {
    for (const row of rows.values()) {
      for (const [name, value] of Object.entries(sum(row))) add(sums, [rollup, by(row) ?? '', name], value)
    }
  }
  return sums
}

function fold(
  { key, on }: AnyProjection,
  all: readonly RecordedEvent[],
  skips: ReadonlySet<string>,
): ReadonlyMap<string, unknown> {
  const rows = new Map<string, unknown>()
  for (const event of all) {
    const step = on[event.type]
    if (step === undefined) continue
    const keys = key === 'stream' ? event.streamId : (key[event.type]?.(event) ?? [])
    for (const one of [keys].flat()) {
      if (skips.has(`${event.position} ${one}`)) continue
      const row: unknown = step(rows.get(one) ?? null, event, one)
      if (row === null) rows.delete(one)
      else rows.set(one, row)
    }
  }
  return rows
}

/** JSON with the properties of each object in the order of their names. */
function canonical(value: unknown): string | undefined {
  return JSON.stringify(value, (_, part: unknown) =>
    part !== null && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  )
}
