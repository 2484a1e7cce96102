import type { Machine } from './machine.ts'

/** A port whose every verb is a call over a network that fails. What is no function is as it is. */
export function remote<Port extends object>(name: string, port: Port, machine: Machine, gone: () => Error): Port {
  const verbs = Object.entries(port).map(([verb, member]: [string, unknown]) => [
    verb,
    typeof member === 'function'
      ? (...args: unknown[]) =>
          machine.call(`${name}.${verb}`, async () => (await Reflect.apply(member, port, args)) as unknown, gone)
      : member,
  ])
  return Object.fromEntries(verbs) as Port
}
