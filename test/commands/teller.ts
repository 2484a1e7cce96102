import { run, type System } from '../../src/index.ts'
import { embedded, postgres } from '../../src/postgres/index.ts'
import { Account, bank } from '../support/bank.ts'

/** A bank on a PostgreSQL, by its URL, or in a directory. */
export function openBank(address: string): Promise<System> {
  return run(bank, {
    on: address.startsWith('postgres') ? postgres({ url: address }) : embedded({ directory: address }),
  })
}

const accounts = 10

/** What a teller hears of one command. */
export interface Heard {
  readonly id: string
  readonly version: number
  readonly token: string
}

/**
 * Opens the account of turn `n`, deposits one and withdraws it again, each by a command that has the same id whoever
 * sends it. A withdrawal that is carried out twice, or a deposit that is not, leaves a balance.
 */
export async function takeTurn(system: System, n: number, hear: (heard: Heard) => void): Promise<void> {
  const account = `account-${n % accounts}`
  const opened = { commandId: `open-${account}` }
  const send = async (outcome: ReturnType<System['dispatchByName']>, id: string) => {
    const { version, token } = await outcome
    hear({ id, version, token })
  }
  await send(system.dispatch(Account, account, 'OpenAccount', { owner: 'Ada' }, opened), opened.commandId)
  for (const command of ['Deposit', 'Withdraw'] as const) {
    const commandId = `${command}-${n}`
    await send(system.dispatch(Account, account, command, { amount: 1 }, { commandId }), commandId)
  }
}

export const accountNames = Array.from({ length: accounts }, (_, n) => `account-${n}`)

/** The events that `turns` turns make, whoever took them and how often. */
export function eventsOf(turns: number): number {
  return Math.min(turns, accounts) + 2 * turns
}
