import { z } from 'zod'
import { type AnyProjection, type App, aggregate, app, events, projection, query, reject } from '../../src/index.ts'

/** The app that is simulated. Every event says which operation of a client it comes from. */

const op = z.int()

const AccountEvents = events('account', {
  Opened: z.object({ op, owner: z.string() }),
  Moved: z.object({ op, amount: z.int() }),
  Closed: z.object({ op }),
})

export const NoteEvents = events('note', {
  Noted: z.object({ op, words: z.array(z.string()) }),
  Unnoted: z.object({ op, words: z.array(z.string()) }),
})

export const OwnerEvents = events('owner', {
  Renamed: z.object({ op, name: z.string() }),
  Left: z.object({ op }),
})

interface AccountState {
  readonly open: boolean
  readonly balance: number
}

export const Account = aggregate(AccountEvents, {
  initial: (): AccountState => ({ open: false, balance: 0 }),
  evolve: {
    Opened: () => ({ open: true, balance: 0 }),
    Moved: (account, { data }) => ({ ...account, balance: account.balance + data.amount }),
    Closed: account => ({ ...account, open: false }),
  },
  commands: {
    Open: {
      input: z.object({ op, owner: z.string() }),
      decide: (account, input) => (account.open ? [] : [AccountEvents.Opened(input)]),
    },
    Move: {
      input: z.object({ op, amount: z.int() }),
      decide: (account, input) =>
        account.open && account.balance + input.amount >= 0
          ? [AccountEvents.Moved(input)]
          : reject('not-moved', 'The account is not open, or holds too little'),
    },
    Close: {
      input: z.object({ op }),
      decide: (account, input) => (account.open ? [AccountEvents.Closed(input)] : []),
    },
  },
  snapshot: { every: 4, version: 1 },
})

/** Depends on every position that was folded, and on their order: an event that is lost, doubled or reordered shows. */
const trailOf = (
  row: { readonly trail: number } | null,
  { position }: { readonly position: number },
  version: number,
) => ((row?.trail ?? version) * 31 + position) % 1_000_003

/** Folds of this word, and of keys that begin with it, fail at times. */
export const fragileWord = 'fox'

/** At the same times no new name of this owner is folded: cards refer to what stands still then. */
const fragileOwner = 'o-0'

/** A whole note is as fragile as its words. */
export const isFragile = (key: string): boolean =>
  key.startsWith(fragileWord) || key.startsWith('n-') || key === fragileOwner

/** At the same times no card can be made of an owner of this name. */
export const fragileName = 'dog'

/** The key of a card: there is one for each word of a note. */
export const cardOf = (word: string, note: string): string => `${word}-${note}`

/** Views whose rows may be in a store without transactions. */
export const mayBeApart: ReadonlySet<string> = new Set(['accounts', 'words', 'cards'])

export interface LedgerOptions {
  /** Each makes other rows. Where there is one of `notes`, there is a view of whole notes, committed with the appends. */
  readonly versions: Readonly<Record<'accounts' | 'words' | 'owners' | 'cards', number>> & { readonly notes?: number }
  readonly shards: Readonly<Record<'accounts' | 'words' | 'owners' | 'cards', number>>
  /** Are there sums over rows? A store without transactions has none. */
  readonly hasSums: boolean
  /** Does the fold of this word fail at the moment? */
  readonly isBroken: (word: string) => boolean
}

/**
 * Views of all kinds: a row for each stream, several rows for one event, rows that go and come again, seldom ones, and rows
 * that are made with these, or cannot be made with some.
 */
export function ledger({ versions, shards, hasSums, isBroken }: LedgerOptions): App {
  const summed = <P extends AnyProjection>(made: P): P => (hasSums ? made : { ...made, rollups: {} })
  const Accounts = summed(
    projection('accounts', {
      from: [AccountEvents],
      version: versions.accounts,
      shards: shards.accounts,
      state: z.object({ owner: z.string(), balance: z.int(), trail: z.int() }),
      on: {
        Opened: (row, event) => ({
          owner: event.data.owner,
          balance: 0,
          trail: trailOf(row, event, versions.accounts),
        }),
        Moved: (row, event) =>
          row && { ...row, balance: row.balance + event.data.amount, trail: trailOf(row, event, versions.accounts) },
        Closed: () => null,
      },
      rollups: { perOwner: { by: row => row.owner, sum: row => ({ accounts: 1, balance: row.balance }) } },
      indexes: [['owner', 'balance']],
    }),
  )
  const Words = summed(
    projection('words', {
      from: [NoteEvents],
      version: versions.words,
      shards: shards.words,
      state: z.object({ times: z.int(), trail: z.int() }),
      key: { Noted: event => event.data.words, Unnoted: event => event.data.words },
      on: {
        Noted: (row, event, word) => {
          if (isBroken(word)) throw new Error('broken')
          return { times: (row?.times ?? 0) + 1, trail: trailOf(row, event, versions.words) }
        },
        Unnoted: (row, event) =>
          row === null || row.times === 1 ? null : { times: row.times - 1, trail: trailOf(row, event, versions.words) },
      },
      rollups: {
        perTimes: { by: row => (row.times > 3 ? null : `${row.times}`), sum: row => ({ trails: row.trail }) },
      },
    }),
  )
  const Owners = projection('owners', {
    from: [AccountEvents, NoteEvents, OwnerEvents],
    version: versions.owners,
    shards: shards.owners,
    state: z.object({ name: z.string(), opened: z.int(), trail: z.int() }),
    key: { Opened: event => event.data.owner, Renamed: event => event.streamId, Left: event => event.streamId },
    on: {
      Opened: (row, event) => ({
        name: row?.name ?? 'new',
        opened: (row?.opened ?? 0) + 1,
        trail: trailOf(row, event, versions.owners),
      }),
      Renamed: (row, event) => {
        if (event.streamId === fragileOwner && isBroken(fragileWord)) throw new Error('broken')
        return { name: event.data.name, opened: row?.opened ?? 0, trail: trailOf(row, event, versions.owners) }
      },
      Left: () => null,
    },
  })
  const Cards = summed(
    projection('cards', {
      from: [NoteEvents],
      version: versions.cards,
      shards: shards.cards,
      state: z.object({ times: z.int(), trail: z.int() }),
      key: {
        Noted: ({ data, streamId }) => data.words.map(word => cardOf(word, streamId)),
        Unnoted: ({ data, streamId }) => data.words.map(word => cardOf(word, streamId)),
      },
      on: {
        Noted: (row, event, key) => {
          if (isFragile(key) && isBroken(fragileWord)) throw new Error('broken')
          return { times: (row?.times ?? 0) + 1, trail: trailOf(row, event, versions.cards) }
        },
        Unnoted: (row, event) =>
          row?.times ? { times: row.times - 1, trail: trailOf(row, event, versions.cards) } : null,
      },
      refs: {
        owner: { to: Owners, key: ({ times }) => `o-${times % 2}` },
        // Of some the same as the owner, of others nobody.
        heir: { to: Owners, key: ({ times }) => (times > 2 ? null : `o-${times % 3}`) },
      },
      row: z.object({ times: z.int(), trail: z.int(), owner: z.string(), heir: z.string().nullable() }),
      present: ({ times, trail }, { owner, heir }) => {
        if (owner?.name === fragileName && isBroken(fragileWord)) throw new Error('broken')
        return {
          times,
          trail,
          owner: owner === null ? '' : `${owner.name} ${owner.trail}`,
          heir: heir && `${heir.name} ${heir.trail}`,
        }
      },
      rollups: { perOwner: { by: row => row.owner || null, sum: row => ({ cards: 1, times: row.times }) } },
      indexes: [['owner']],
    }),
  )
  const notesVersion = versions.notes ?? 1
  const Notes = projection('notes', {
    from: [NoteEvents],
    version: notesVersion,
    commit: 'with-append',
    state: z.object({ times: z.int(), trail: z.int() }),
    on: {
      Noted: (row, event) => {
        if (event.data.words.includes(fragileWord) && isBroken(fragileWord)) throw new Error('broken')
        return { times: (row?.times ?? 0) + 1, trail: trailOf(row, event, notesVersion) }
      },
      Unnoted: (row, event) =>
        row === null || row.times === 1 ? null : { times: row.times - 1, trail: trailOf(row, event, notesVersion) },
    },
    rollups: { perTimes: { by: row => (row.times > 3 ? null : `${row.times}`), sum: row => ({ trails: row.trail }) } },
  })
  const isAlong = versions.notes !== undefined
  const byKey = { input: z.object({ key: z.string() }), get: ({ key }: { readonly key: string }) => key }
  return app('ledger', {
    aggregates: [Account],
    events: [NoteEvents, OwnerEvents],
    projections: [Accounts, Words, Owners, Cards, ...(isAlong ? [Notes] : [])],
    queries: [
      query('accounts', { from: Accounts, ...byKey }),
      query('words', { from: Words, ...byKey }),
      query('owners', { from: Owners, ...byKey }),
      query('cards', { from: Cards, ...byKey }),
      ...(isAlong ? [query('notes', { from: Notes, ...byKey })] : []),
    ],
  })
}
