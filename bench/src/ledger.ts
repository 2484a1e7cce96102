import { type AnyProjection, aggregate, app, events, type Projection, projection, query, reject } from 'bifold'
import { z } from 'zod'

/** One kind of event, about 200 bytes of JSON. */
export const AccountEvents = events('account', {
  Deposited: z.object({
    amount: z.int(),
    branch: z.int(),
    currency: z.string(),
    reference: z.string(),
    note: z.string(),
  }),
})

const Balance = z.object({
  balance: z.int(),
  deposits: z.int(),
  currency: z.string(),
  reference: z.string(),
})

/** An account's balance as a write model: of each account's deposits, states kept or not. */
export function tellersApp(snapshot?: { readonly every: number }) {
  const Account = aggregate(AccountEvents, {
    initial: (): AccountState => ({ balance: 0, deposits: 0, currency: '', reference: '' }),
    evolve: {
      Deposited: ({ balance, deposits }, { data: { amount, currency, reference } }) => ({
        balance: balance + amount,
        deposits: deposits + 1,
        currency,
        reference,
      }),
    },
    commands: {
      Deposit: {
        input: z.object({ n: z.int() }),
        decide: (_, { n }) => [AccountEvents.Deposited(depositOf(n))],
      },
      /** Nothing to do: what it costs is to know the state. */
      Audit: {
        input: z.object({ deposits: z.int() }),
        decide: (account, { deposits }) =>
          account.deposits === deposits ? [] : reject('unbalanced', `There are ${account.deposits} deposits`),
      },
    },
    ...(snapshot === undefined ? {} : { snapshot }),
  })
  return { app: app('tellers', { aggregates: [Account] }), Account }
}

interface AccountState {
  readonly balance: number
  readonly deposits: number
  readonly currency: string
  readonly reference: string
}

/** A row for each account: as many rows as streams. Under a name of its own, so that it can be built anew. */
export function accountsApp(name = 'balances', shards = 1) {
  const balances = projection(name, {
    shards,
    from: [AccountEvents],
    state: Balance,
    on: { Deposited: (row, { data }) => added(row, data) },
  })
  return askedByAccount(balances)
}

/** The accounts' view, committed with the appends. */
export function alongApp() {
  const balances = projection('balances', {
    from: [AccountEvents],
    commit: 'with-append',
    state: Balance,
    on: { Deposited: (row, { data }) => added(row, data) },
  })
  return askedByAccount(balances)
}

/** The same events, and no view of them. */
export function eventsApp() {
  return { app: app('accounts', { events: [AccountEvents] }) }
}

/** The accounts' view with its rows made of its states, which are kept beside them. */
export function presentedApp() {
  const balances = projection('balances', {
    from: [AccountEvents],
    state: Balance,
    on: { Deposited: (state, { data }) => added(state, data) },
    row: Balance.extend({ average: z.int() }),
    present: state => ({ ...state, average: Math.round(state.balance / state.deposits) }),
  })
  return askedByAccount(balances)
}

/** The accounts' view with sums over its rows: every event takes an account out of one group and puts it into another. */
export function summedApp() {
  const balances = projection('balances', {
    from: [AccountEvents],
    state: Balance,
    on: { Deposited: (row, { data }) => added(row, data) },
    rollups: {
      perDeposits: { by: row => String(row.deposits), sum: row => ({ accounts: 1, balance: row.balance }) },
    },
  })
  return askedByAccount(balances)
}

/**
 * The accounts' view with each row made with one of another view, which never changes once it is there, and with sums over
 * its rows.
 */
export function joinedApp() {
  const branches = projection('joined-branches', {
    from: [AccountEvents],
    key: { Deposited: ({ data }) => `branch-${data.branch}` },
    state: z.object({ currency: z.string() }),
    on: { Deposited: (_, { data }) => ({ currency: data.currency }) },
  })
  const balances = projection('joined-balances', {
    from: [AccountEvents],
    state: Balance.extend({ branch: z.int() }),
    on: { Deposited: (state, { data }) => ({ ...added(state, data), branch: data.branch }) },
    refs: { branch: { to: branches, key: state => `branch-${state.branch}` } },
    row: Balance.extend({ branchCurrency: z.string() }),
    present: ({ branch: _, ...state }, { branch }) => ({ ...state, branchCurrency: branch?.currency ?? 'unknown' }),
    rollups: {
      perDeposits: { by: row => String(row.deposits), sum: row => ({ accounts: 1, balance: row.balance }) },
    },
  })
  return askedByAccount(balances, branches)
}

function askedByAccount<Row>(balances: Projection<Row>, ...others: readonly AnyProjection[]) {
  const balance = query('balance', {
    from: balances,
    input: z.object({ accountId: z.string() }),
    get: ({ accountId }) => accountId,
  })
  return {
    app: app('accounts', { events: [AccountEvents], projections: [balances, ...others], queries: [balance] }),
    balances,
    balance,
  }
}

/** A row for each branch: few rows, each of many events. */
export function branchesApp(name = 'branches') {
  const branches = projection(name, {
    from: [AccountEvents],
    state: Balance,
    key: { Deposited: ({ data }) => `branch-${data.branch}` },
    on: { Deposited: (row, { data }) => added(row, data) },
  })
  return { app: app('branches', { events: [AccountEvents], projections: [branches] }) }
}

/** A row of about 570 bytes for each account. */
export function profilesApp() {
  const profiles = projection('profiles', {
    from: [AccountEvents],
    state: z.object({ accountId: z.string(), balance: z.int(), reference: z.string(), about: z.string() }),
    on: {
      Deposited: (row, { streamId, data }) => ({
        accountId: streamId,
        balance: (row?.balance ?? 0) + data.amount,
        reference: data.reference,
        about,
      }),
    },
  })
  const profile = query('profile', {
    from: profiles,
    input: z.object({ accountId: z.string() }),
    get: ({ accountId }) => accountId,
  })
  return { app: app('profiles', { events: [AccountEvents], projections: [profiles], queries: [profile] }) }
}

const about = 'A text that fills the document up to the size of a usual one, and says nothing. '.repeat(6).slice(0, 460)

export const branchCount = 1000

type Deposit = {
  readonly amount: number
  readonly branch: number
  readonly currency: string
  readonly reference: string
}

function added(row: z.output<typeof Balance> | null, { amount, currency, reference }: Deposit) {
  return { balance: (row?.balance ?? 0) + amount, deposits: (row?.deposits ?? 0) + 1, currency, reference }
}

/** The n-th deposit: always the same one. */
export function depositOf(n: number) {
  return {
    amount: 100 + (n % 9900),
    branch: scattered(n) % branchCount,
    currency: 'EUR',
    reference: `reference-${String(n).padStart(12, '0')}`,
    note: 'paid in at the counter, counted twice, receipt handed over, nothing else to be said about it',
  }
}

export function accountOf(number: number): string {
  return `account-${String(number).padStart(8, '0')}`
}

/** Numbers that look like chance and are the same in every run (a multiplicative hash, 32 bits). */
export function scattered(n: number): number {
  return Math.imul(n + 1, 2654435761) >>> 0
}
