import { z } from 'zod'

/** All money is in whole centavos of the Brazilian real (BRL): an integer, so that sums are exact everywhere. */
export const Money = z.int().min(0).max(1_000_000_000)

export const Id = z.string().min(1).max(64)

/** A moment in UTC. A command may say when something happened; otherwise it happened when the command came. */
export const Moment = z.iso.datetime()

/** One text for one moment, so that days are cut and rows are compared by the same letters. */
export function momentOf(at: string | undefined, { now }: { readonly now: string }): string {
  return new Date(at ?? now).toISOString()
}

/** The day of a moment, in UTC: `2026-11-21`. */
export function dayOf(moment: string): string {
  return moment.slice(0, 10)
}
