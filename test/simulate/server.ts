import { type App, run, type System } from '../../src/index.ts'
import type { LogStorage } from '../../src/log/index.ts'
import type { ViewStore } from '../../src/project/index.ts'
import type { RunOptions } from '../../src/run/index.ts'
import type { Place } from './client.ts'
import type { Faults } from './faults.ts'
import { type FaultyLog, faultyLog } from './faulty-log.ts'
import { type Machine, makeMachine, type Wire } from './machine.ts'
import type { Operation } from './operations.ts'
import type { Scheduler } from './scheduler.ts'

export interface ServerOptions {
  readonly name: string
  readonly scheduler: Scheduler
  readonly wire: Wire
  readonly faults: () => Faults
  /** The release that is deployed. */
  readonly app: () => App
  readonly log: LogStorage
  /** The store of views as a process reaches it. */
  readonly views: (machine: Machine) => ViewStore
  readonly limits: () => Omit<RunOptions, 'on' | 'runtime' | 'roles'>
  /** Called in a process that has started. */
  readonly begin: (machine: Machine, system: System) => Place
  /** A process has crashed while this was under way. */
  readonly ended: (underWay: ReadonlySet<Operation>) => void
  readonly wrong: (what: string) => void
}

/** A place where a process runs, and another one after it has ended. */
export interface Server {
  /** What happens to a process by itself, now and then. */
  happen(): void
  /** Lets the process make room for one of the release that is deployed, where it is of another. */
  deploy(): void
  /** Lets a process that carries on no more than some shards make room for one that carries on all. */
  grow(): void
  /** Is something sent and not answered, is the process not running yet, or of an older release? */
  isBusy(): boolean
  close(): Promise<void>
  describe(): string
}

interface Life {
  readonly machine: Machine
  readonly log: FaultyLog
  readonly app: App
  place?: Place
  /** It carries on a bounded number of shards. */
  isSmall: boolean
  isClosing: boolean
}

export function startServer(options: ServerOptions): Server {
  const { name, scheduler, wire, faults, app, views, begin, ended, wrong } = options
  const { random } = scheduler
  let lives = 0
  let life = start()

  function start(): Life {
    const machine = makeMachine({
      name: `${name}.${++lives}`,
      scheduler,
      wire,
      faults,
      onCrash: () => {
        ended(life.place?.underWay ?? new Set())
        again(50 + random() * 500)
      },
    })
    const log = faultyLog(options.log, machine, faults)
    const started: Life = { machine, log, app: app(), isSmall: false, isClosing: false }
    machine.task(random() * 20, 'starts', () => void boot(started))
    return started
  }
  function again(afterMs: number): void {
    scheduler.after(afterMs, `${name} comes again`, () => {
      life = start()
    })
  }
  async function boot(started: Life): Promise<void> {
    const { machine, log, app } = started
    const on = { log, views: views(machine), oneDatabase: true, close: async () => undefined }
    try {
      const limits = options.limits()
      started.isSmall = limits.projections?.maxShards !== Number.POSITIVE_INFINITY
      const system = await run(app, { on, runtime: machine.runtime, ...limits })
      started.place = begin(machine, system)
    } catch {
      // As a program that cannot start: whoever started it tries again.
      machine.crash()
    }
  }
  /** Stops the process in order, and starts another one. */
  function restart(ending: Life): void {
    const { machine, place } = ending
    if (place === undefined || ending.isClosing) return
    const { system, underWay } = place
    ending.isClosing = true
    void system.close().then(
      () => {
        if (underWay.size > 0) wrong(`${machine.name} was closed while ${underWay.size} operations were under way`)
        machine.crash()
      },
      (error: unknown) => wrong(`${machine.name} did not close: ${String(error)}`),
    )
  }

  return {
    happen: () => {
      const { machine, log } = life
      const { pause, pauseMs, restart: restarts, clockJump, reconnect } = faults()
      if (machine.hit(pause)) machine.pause(random() * pauseMs)
      if (machine.hit(clockJump)) machine.jumpClock((random() - 0.5) * 20_000)
      if (machine.hit(reconnect)) log.reconnect()
      if (machine.hit(restarts)) restart(life)
    },
    deploy: () => {
      if (life.app !== app()) restart(life)
    },
    grow: () => {
      if (life.isSmall) restart(life)
    },
    isBusy: () => {
      const { machine, place } = life
      if (place === undefined || !machine.isAlive() || life.app !== app() || life.isSmall) return true
      return place.underWay.size > 0 || place.operating.size > 0
    },
    close: async () => life.place?.system.close(),
    describe: () => {
      const { machine, place } = life
      if (!machine.isAlive()) return `${machine.name} has crashed`
      if (place === undefined) return `${machine.name} is starting`
      return `${machine.name} runs, ${place.underWay.size} operations and ${place.operating.size} operators under way`
    },
  }
}
