import { createDispatcher, type Dispatcher, type DispatcherOptions } from '../../src/command/index.ts'
import { createLog, type EventLog, type LogStorage, systemRuntime } from '../../src/log/index.ts'
import { bank } from './bank.ts'

/** A command side with a log of its own, as a process has them. */
export interface CommandProcess extends Dispatcher {
  readonly log: EventLog
}

const opened: (() => Promise<void>)[] = []

/** Starts one on a storage that others may use too. `closeCommandProcesses` belongs into `afterEach`. */
export async function startCommands(
  storage: LogStorage,
  options: Partial<DispatcherOptions> = {},
): Promise<CommandProcess> {
  const { app = bank } = options
  const log = await createLog(storage, { eventTypes: app.eventTypes })
  const dispatcher = createDispatcher({ app, log, runtime: systemRuntime, ...options })
  opened.push(dispatcher.close, log.close)
  return { ...dispatcher, log }
}

export async function closeCommandProcesses(): Promise<void> {
  for (const close of opened.splice(0)) await close()
}

/** The code of the error that `promise` fails with; what else became of it as text. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    return `no error: ${JSON.stringify(await promise)}`
  } catch (error) {
    return error instanceof Object && 'code' in error ? String(error.code) : `no error of the catalogue: ${error}`
  }
}
