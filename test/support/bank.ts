import { z } from 'zod'
import { aggregate, app, events, projection, query, reject } from '../../src/index.ts'

/** A small app for suites that cross parts: accounts with a balance that may not go below zero. */

export const AccountEvents = events('account', {
  AccountOpened: z.object({ owner: z.string() }),
  MoneyDeposited: z.object({ amount: z.int() }),
  MoneyWithdrawn: z.object({ amount: z.int() }),
  AccountClosed: z.object({}),
})

export interface AccountState {
  readonly status: 'none' | 'open' | 'closed'
  readonly balance: number
}

const amount = z.int().positive()

export const Account = aggregate(AccountEvents, {
  initial: (): AccountState => ({ status: 'none', balance: 0 }),
  evolve: {
    AccountOpened: account => ({ ...account, status: 'open' }),
    MoneyDeposited: (account, { data }) => ({ ...account, balance: account.balance + data.amount }),
    MoneyWithdrawn: (account, { data }) => ({ ...account, balance: account.balance - data.amount }),
    AccountClosed: account => ({ ...account, status: 'closed' }),
  },
  commands: {
    OpenAccount: {
      stream: 'new',
      input: z.object({ owner: z.string() }),
      decide: (_, { owner }) => [AccountEvents.AccountOpened({ owner })],
    },
    Deposit: {
      stream: 'existing',
      input: z.object({ amount }),
      decide: (account, { amount }) =>
        account.status === 'open'
          ? [AccountEvents.MoneyDeposited({ amount })]
          : reject('account-not-open', `The account is ${account.status}`),
    },
    Withdraw: {
      input: z.object({ amount }),
      decide: (account, { amount }) =>
        account.balance >= amount
          ? [AccountEvents.MoneyWithdrawn({ amount })]
          : reject('insufficient-funds', `The balance is ${account.balance}`, { balance: account.balance }),
    },
    /** Closing a closed account is nothing to do. */
    CloseAccount: {
      input: z.object({}),
      decide: account => (account.status === 'open' ? [AccountEvents.AccountClosed({})] : []),
    },
  },
})

export const Accounts = projection('accounts', {
  from: [AccountEvents],
  state: z.object({ owner: z.string(), balance: z.int(), open: z.boolean() }),
  on: {
    AccountOpened: (_, { data }) => ({ owner: data.owner, balance: 0, open: true }),
    MoneyDeposited: (row, { data }) => row && { ...row, balance: row.balance + data.amount },
    MoneyWithdrawn: (row, { data }) => row && { ...row, balance: row.balance - data.amount },
    AccountClosed: row => row && { ...row, open: false },
  },
  indexes: [['owner', 'balance'], ['balance']],
})

export const accountById = query('account-by-id', {
  from: Accounts,
  input: z.object({ id: z.string() }),
  get: ({ id }) => id,
})

export const accountsByIds = query('accounts-by-ids', {
  from: Accounts,
  input: z.object({ ids: z.array(z.string()) }),
  many: ({ ids }) => ids,
})

export const accountsByBalance = query('accounts-by-balance', {
  from: Accounts,
  input: z.object({
    owner: z.string().optional(),
    atLeast: z.int().optional(),
    order: z.enum(['asc', 'desc']).optional(),
    limit: z.int().optional(),
    cursor: z.string().optional(),
  }),
  list: ({ owner, atLeast, order, limit, cursor }) =>
    owner === undefined
      ? { index: ['balance'], where: { balance: { gte: atLeast } }, order, limit, cursor }
      : { index: ['owner', 'balance'], where: { owner, balance: { gte: atLeast } }, order, limit, cursor },
})

export const bank = app('bank', {
  aggregates: [Account],
  projections: [Accounts],
  queries: [accountById, accountsByIds, accountsByBalance],
})
