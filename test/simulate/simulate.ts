import type { AnyProjection, App, RecordedEvent, System } from '../../src/index.ts'
import { createLog, memoryLogStorage, origin, type Runtime } from '../../src/log/index.ts'
import { type Letter, type RowStore, rowsApart, type ViewStore } from '../../src/project/index.ts'
import { memoryRowStore, memoryViewStore } from '../../src/stores/memory/index.ts'
import { type Answered, ask, type Desk, follow, type Place, write } from './client.ts'
import { drawFaults, eventMs, type Faults, noFaults } from './faults.ts'
import { faultyRows } from './faulty-rows.ts'
import { faultyStore } from './faulty-store.ts'
import { judgeAnswers, judgeDecisions, judgeLog } from './judge.ts'
import { type Captured, judgeView } from './judge-view.ts'
import { fragileWord, mayBeApart } from './ledger.ts'
import { drawLimits } from './limits.ts'
import { epochMs } from './machine.ts'
import { drawOperation, type Operation } from './operations.ts'
import { operate } from './operator.ts'
import { watchPast } from './past.ts'
import { makeReference, type Reference } from './reference.ts'
import { drawReleases } from './releases.ts'
import { makeScheduler } from './scheduler.ts'
import { type Server, startServer } from './server.ts'
import { lookInto } from './stored.ts'

/** How a simulated life of a system went. */
export interface Outcome {
  readonly seed: number
  /** What is wrong, as sentences: none where all is right. */
  readonly wrong: readonly string[]
  /** The same for the same seed, to the last step. */
  readonly trace: string
  readonly steps: number
  readonly elapsedMs: number
  readonly events: number
  readonly answers: number
  readonly crashes: number
  /** How many commands were in the view that is committed with the appends when they were answered, and how many were not. */
  readonly visible: Desk['visible']
}

/** When nothing goes wrong any more, it has to come to rest within this time and so many steps. */
const restMs = 120_000
const maxSteps = 400_000
/** Looks, of 100 ms, for which it has to be at rest: longer than a holder of parked keys waits for what it is asked. */
const restLooks = 10

/**
 * Lets a system of several processes live on one log and one store, while what can go wrong goes wrong as the seed has
 * it; then nothing goes wrong any more, and all must come to rest and be right.
 */
export async function simulate(
  seed: number,
  onStep: (elapsedMs: number, label: string) => void = () => undefined,
): Promise<Outcome> {
  const scheduler = makeScheduler(seed, onStep)
  const { random } = scheduler
  const wrong: string[] = []
  const drawn = drawFaults(random)
  let faults: Faults = drawn
  const broken = new Set<string>()
  // Not drawn: what happens under the other seeds is to stay as it was before there was such a view.
  const isAlong = seed % 3 === 0
  const isApart = seed % 5 === 0
  const releases = drawReleases(random, word => broken.has(word), isAlong, isApart)
  let deployed = 0

  const outside: Runtime = {
    now: () => epochMs + scheduler.elapsed(),
    elapsed: scheduler.elapsed,
    random,
    after: (delayMs, run) => scheduler.after(delayMs, 'server timer', run),
    turn: async () => undefined,
    stayAlive: () => () => undefined,
  }
  const log = memoryLogStorage(outside)
  let resets = 0
  const views = memoryViewStore({ runtime: outside })
  const past = watchPast(views)
  const store: ViewStore = {
    ...past.store,
    reset: async (projection, generation) => {
      resets++
      return views.reset(projection, generation)
    },
    activate: async (projection, generation, how) => {
      const before = (await views.generations(projection)).find(({ active }) => active)
      const outcome = await views.activate(projection, generation, how)
      const after = (await views.generations(projection)).find(({ active }) => active)
      const position = Math.max(...(before?.checkpoints ?? []).map(at => at.position))
      const reached = Math.min(...(after?.checkpoints ?? []).map(at => at.position))
      if (after?.generation !== before?.generation && reached < position)
        wrong.push(`${projection} ${generation} came to serve at ${reached}, and the one before stood at ${position}`)
      return outcome
    },
  }
  const rows = memoryRowStore()
  const withRows = (of: ViewStore, at: RowStore): ViewStore =>
    isApart ? rowsApart(of, at, { isApart: ({ name }) => mayBeApart.has(name) }) : of
  const stored = lookInto({ ...past, store: withRows(views, rows) }, releases)

  const count = 30 + Math.floor(random() * 90)
  const operations: Operation[] = []
  const repeated: Operation[] = []
  const answers: Answered[] = []
  let isOpen = true
  const desk: Desk = {
    next: () => {
      const again = repeated.length > 0 && random() < 0.5 ? repeated.shift() : undefined
      if (again !== undefined || operations.length >= count) return again ?? repeated.shift()
      const drawn = drawOperation(random, operations.length + 1, isAlong)
      operations.push(drawn)
      return drawn
    },
    again: operation => repeated.push(operation),
    recent: [],
    answers,
    isOpen: () => isOpen,
    isTroubled: () => faults !== noFaults,
    resets: () => resets,
    reachedOf: stored.reachedOf,
    visible: { at: 0, later: 0 },
    wrong: what => wrong.push(what),
  }

  const wire = { underWay: 0 }
  const spacingMs = 20 + random() * 200
  let crashes = 0
  const begin = (machine: Place['machine'], system: System): Place => {
    const place: Place = { machine, system, desk, underWay: new Set(), operating: new Set() }
    for (let n = 0; n < 2; n++) void write(place, spacingMs)
    for (let n = 0; n < 2; n++) void ask(place, spacingMs)
    void follow(place)
    if (drawn.operateMs > 0) void operate(place, drawn.operateMs)
    return place
  }
  const servers: readonly Server[] = Array.from({ length: 1 + Math.floor(random() * 3) }, (_, n) =>
    startServer({
      name: `p${n + 1}`,
      scheduler,
      wire,
      faults: () => faults,
      app: () => releases[deployed]!,
      log,
      views: machine =>
        withRows(
          faultyStore(store, machine),
          faultyRows(rows, machine, () => faults),
        ),
      limits: () => drawLimits(random, faults !== noFaults),
      begin,
      ended: underWay => {
        crashes++
        for (const operation of underWay) {
          operation.isUnknown = true
          if (operation.commandId !== undefined) desk.again(operation)
        }
      },
      wrong: desk.wrong,
    }),
  )

  const captured: Captured[] = []
  const capture = async (when: string): Promise<void> => {
    captured.push(...(await stored.capture(when, false)))
  }
  const happen = (): void => {
    if (faults === noFaults) return
    for (const server of servers) server.happen()
    if (deployed < releases.length - 1 && random() < 0.03) deployed++
    for (const server of servers) if (random() < 0.1) server.deploy()
    if (random() < 0.1) broken.add(fragileWord)
    if (random() < 0.1) broken.delete(fragileWord)
    if (random() < 0.2) void past.prune(random)
    if (random() < 0.1) void capture(`after ${scheduler.elapsed()} ms`)
    scheduler.after(eventMs, 'what happens', happen)
  }
  happen()

  const runUntil = async (isOver: () => boolean, withinMs: number, what: string): Promise<boolean> => {
    const endMs = scheduler.elapsed() + withinMs
    while (!isOver()) {
      const why =
        scheduler.elapsed() > endMs
          ? `within ${withinMs} ms`
          : scheduler.steps() > maxSteps
            ? `within ${maxSteps} steps`
            : (await scheduler.step())
              ? undefined
              : 'since nothing is left to be done'
      if (why === undefined) continue
      wrong.push(
        `it did not ${what} ${why}: ${await stored.describe()}; ${servers.map(server => server.describe()).join('; ')}`,
      )
      return false
    }
    return true
  }

  const isDone = (): boolean => operations.length >= count && repeated.length === 0
  const troubleMs = 2000 + random() * 8000
  await runUntil(() => isDone() || scheduler.elapsed() > troubleMs, restMs, 'go on')
  faults = noFaults
  broken.clear()
  await capture('when nothing goes wrong any more')

  /** How often in a row it has looked as if all were done: rows follow one that was parked only after a while. */
  let calmLooks = 0
  let isAtRest = false
  const look = async (): Promise<void> => {
    const { position } = await log.head()
    for (const server of servers) {
      server.deploy()
      server.grow()
    }
    const isSettled = await stored.settled(releases[deployed]!, position)
    const isBusy = wire.underWay > 0 || servers.some(server => server.isBusy())
    calmLooks = isSettled ? calmLooks + 1 : 0
    isAtRest = isDone() && !isBusy && calmLooks > restLooks
    if (!isAtRest) scheduler.after(100, 'look', () => void look())
  }
  await look()
  if (await runUntil(() => isAtRest, restMs, 'come to rest')) {
    isOpen = false
    let closed = 0
    for (const server of servers) void server.close().then(() => closed++)
    await runUntil(() => closed === servers.length, restMs, 'close')
  }

  const events = await readAll(releases[0]!, log)
  const references = referencesOn(events)
  for (const { projections } of releases) for (const projection of projections) references.of(projection, [])
  if (isAtRest) captured.push(...(await stored.capture('at rest', true)))
  for (const one of captured) wrong.push(...judgeView(one, references.of(one.definition, one.skips)))
  wrong.push(
    ...judgeLog(events, operations),
    ...judgeDecisions(events),
    ...judgeAnswers(answers, references.all, view => isApart && mayBeApart.has(view)),
  )
  return {
    seed,
    wrong,
    trace: scheduler.trace(),
    steps: scheduler.steps(),
    elapsedMs: Math.round(scheduler.elapsed()),
    events: events.length,
    answers: answers.length,
    crashes,
    visible: desk.visible,
  }
}

async function readAll(app: App, storage: ReturnType<typeof memoryLogStorage>): Promise<readonly RecordedEvent[]> {
  const log = await createLog(storage, { eventTypes: app.eventTypes })
  const events: RecordedEvent[] = []
  for (let cursor = origin; ; ) {
    const page = await log.read(cursor)
    events.push(...page.events)
    cursor = page.through
    if (page.atHead) break
  }
  await log.close()
  return events
}

/** What the log makes of definitions, each with what is skipped of it. */
function referencesOn(log: readonly RecordedEvent[]) {
  const found = new Map<string, { readonly view: string; readonly reference: Reference }>()
  return {
    of: (projection: AnyProjection, skips: readonly Letter[]): Reference => {
      const made = Object.values(projection.refs).map(({ to }) => to.version)
      const id = JSON.stringify([projection.name, projection.version, made, skips])
      const known = found.get(id) ?? { view: projection.name, reference: makeReference(projection, log, skips) }
      found.set(id, known)
      return known.reference
    },
    all: (view: string): readonly Reference[] =>
      [...found.values()].filter(one => one.view === view).map(({ reference }) => reference),
  }
}
