import { BifoldError, type Position } from '../define/index.ts'
import type { Generation } from './generations.ts'
import type { ViewShape } from './store.ts'

/** The generations that a store keeps of a projection, as one process sees them. */
export interface SeenGenerations {
  /** The oldest first. */
  readonly all: readonly Generation[]
  /** The numbers of those that are of this process's definition: it carries them on. */
  readonly known: readonly number[]
}

/**
 * The number of the generation that answers this process's queries: the one that serves, if its rows look as the
 * definition here says; else the newest of this definition. So releases with different rows run side by side.
 * `undefined`: every one that would do was dropped.
 */
export function servingOf({ all, known }: SeenGenerations, { rowShape }: ViewShape): number | undefined {
  const active = all.find(generation => generation.active)
  if (active?.rowShape === rowShape) return active.generation
  return known.at(-1) ?? all.findLast(generation => generation.rowShape === rowShape)?.generation
}

/** Of this process's definition: the generation that serves, or else the newest. `undefined`: there is none. */
export function ownOf({ all, known }: SeenGenerations): number | undefined {
  const active = all.find(generation => generation.active)?.generation
  return active !== undefined && known.includes(active) ? active : known.at(-1)
}

/**
 * As `servingOf`, of a query of a rollup, to which it makes a difference what its sums are named: no row's shape tells that.
 */
export function servingSumsOf(seen: SeenGenerations, shape: ViewShape, rollup: string): number | undefined {
  const active = seen.all.find(generation => generation.active)
  const hasSums = active !== undefined && active.sums[rollup] === shape.sums?.[rollup]
  if (hasSums || active === undefined || seen.known.includes(active.generation)) return servingOf(seen, shape)
  return seen.known.at(-1) ?? servingOf(seen, shape)
}

/** All generations that answer queries of this process, each once: the one that rows are read from first. */
export function answeringOf(seen: SeenGenerations, shape: ViewShape): readonly number[] {
  const ofSums = Object.keys(shape.sums ?? {}).map(rollup => servingSumsOf(seen, shape, rollup))
  return [...new Set([servingOf(seen, shape), ...ofSums])].filter(number => number !== undefined)
}

/**
 * The generation that is to serve as soon as it may: the newest of this definition, if it is newer than the one that
 * serves, and nobody has swapped away from it by hand.
 */
export function candidateOf({ all, known }: SeenGenerations): Generation | undefined {
  const active = all.find(generation => generation.active)
  const newest = all.find(({ generation }) => generation === known.at(-1))
  if (active === undefined || newest === undefined || newest.setAside) return undefined
  return newest.generation > active.generation ? newest : undefined
}

/**
 * The generation that may serve in place of one that nobody follows any more, as that of a release that was rolled back: of
 * those of this definition the newest that is followed and as far, of those that have served before where there is any.
 */
export function standInOf(seen: SeenGenerations): Generation | undefined {
  const active = seen.all.find(generation => generation.active)
  if (active === undefined || active.followed || seen.known.includes(active.generation)) return undefined
  const may = seen.all.filter(one => seen.known.includes(one.generation) && one.followed && isNear(seen, one))
  return may.findLast(({ served }) => served) ?? may.at(-1)
}

/** What to tell of it. */
export function unfollowedWarning(seen: SeenGenerations, { projection: { name } }: ViewShape): BifoldError | undefined {
  const [standIn, serving] = [standInOf(seen), seen.all.find(({ active }) => active)]
  if (standIn === undefined || serving === undefined) return undefined
  const numbers = { serving: serving.generation, generation: standIn.generation }
  return new BifoldError('project/serving-unfollowed', { projection: name, ...numbers })
}

/** Is it so near that the store may be asked to let it serve? It holds the other one still for that moment. */
export function isNear(seen: SeenGenerations, candidate: Generation): boolean {
  return lagOf(seen, candidate) <= nearEvents
}

const nearEvents = 1000

/** How many events a generation lacks of what it has to have reached to serve. */
function lagOf({ all }: SeenGenerations, generation: Generation): number {
  const active = all.find(one => one.active)
  return Math.max(0, highestOf(active) - lowestPositionOf(generation))
}

/**
 * Those that nobody swaps back to: older than the one that serves, and not the last one that served before it. They may be
 * dropped once nobody carries them on.
 */
export function outlivedOf({ all }: SeenGenerations): readonly Generation[] {
  const active = all.find(generation => generation.active)
  return all.filter(one => one !== previousOf(all) && active !== undefined && one.generation < active.generation)
}

/**
 * Those that somebody gave up: newer than the one that serves, of another definition, and carried on by nobody. A release
 * that was stopped while it built its view and is not deployed again leaves one, and no rebuild begins beside it.
 */
export function abandonedOf({ all, known }: SeenGenerations): readonly Generation[] {
  const active = all.find(generation => generation.active)
  const isNewer = ({ generation }: Generation): boolean => active !== undefined && generation > active.generation
  return all.filter(one => isNewer(one) && !one.followed && one !== previousOf(all) && !known.includes(one.generation))
}

/** The last that served before the one that does. */
function previousOf(all: readonly Generation[]): Generation | undefined {
  return all.findLast(generation => generation.served && !generation.active)
}

/**
 * The generations that a process carries on: those of its definition, but for outlived ones that answer no query here and
 * are not referred to. Else each rebuild of one definition would be followed for ever.
 */
export function carriedOf(seen: SeenGenerations, shape: ViewShape): readonly number[] {
  const answering = answeringOf(seen, shape)
  const needless = outlivedOf(seen).filter(one => !one.referredTo && !answering.includes(one.generation))
  return seen.known.filter(number => !needless.some(({ generation }) => generation === number))
}

/**
 * The generations whose parked keys operators look after: the one that answers queries here first, and then the newest first.
 * Others are carried on by nobody, who could do what is asked.
 */
export function lookedAfterOf(seen: SeenGenerations, shape: ViewShape): readonly number[] {
  const answering = servingOf(seen, shape)
  const carried = carriedOf(seen, shape)
  const after = seen.all.filter(one => one.active || one.followed || carried.includes(one.generation))
  const rank = (generation: number): number => (generation === answering ? Number.POSITIVE_INFINITY : generation)
  return after.map(({ generation }) => generation).sort((a, b) => rank(b) - rank(a))
}

/** Everything up to here is in the generation. */
function lowestPositionOf({ checkpoints }: Generation): Position {
  return Math.min(...checkpoints.map(({ position }) => position))
}

function highestOf(generation: Generation | undefined): Position {
  return Math.max(0, ...(generation?.checkpoints ?? []).map(({ position }) => position))
}
