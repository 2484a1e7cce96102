import { afterEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import {} from '../../test/support/bank.ts'
import { closeCommandProcesses, codeOf, startCommands } from '../../test/support/command-process.ts'
import { aggregate, app, events } from '../define/index.ts'
import { type EventLog, memoryLogStorage } from '../log/index.ts'

afterEach(closeCommandProcesses)

const typesIn = async (log: EventLog): Promise<readonly string[]> =>
  (await log.read({ position: 0, fingerprint: '' })).events.map(({ type }) => type)

describe('a definition that does what it may not', () => {
  const Notes = events('note', { Noted: z.object({ text: z.string() }), Broken: z.object({}) })
  const Others = events('other', { Happened: z.object({}) })
  const cause = new Error('no')
  const lie = (decided: unknown) => ({ input: z.object({}), decide: () => decided as never[] })
  const Note = aggregate(Notes, {
    initial: (): { texts: string[] } => ({ texts: [] }),
    evolve: {
      Noted: (note, { data }) => ({ texts: [...note.texts, data.text] }),
      Broken: () => {
        throw cause
      },
    },
    commands: {
      Note: { input: z.object({ text: z.string() }), decide: (_, { text }) => [Notes.Noted({ text })] },
      Break: { input: z.object({}), decide: () => [Notes.Broken({})] },
      Throw: {
        input: z.object({}),
        decide: () => {
          throw cause
        },
      },
      Change: {
        input: z.object({}),
        decide: note => {
          note.texts.push('changed')
          return []
        },
      },
      Stray: lie([Others.Happened({})]),
      Inherit: lie([{ category: 'note', type: 'toString', data: {} }]),
      Nothing: lie(undefined),
      Later: lie(Promise.resolve([])),
      Holes: lie([null]),
    },
  })
  const notes = app('notes', { aggregates: [Note], events: [Others] })

  test.each(['Stray', 'Inherit', 'Nothing', 'Later', 'Holes'])('%s: its decision is refused', async command => {
    const { dispatchByName, log } = await startCommands(memoryLogStorage(), { app: notes })
    expect(await codeOf(dispatchByName('note', 'a', command, {}))).toBe('command/invalid-decision')
    expect(await typesIn(log)).toEqual([])
  })

  test('a decide that throws is told with its error as the cause', async () => {
    const { dispatch } = await startCommands(memoryLogStorage(), { app: notes })
    await expect(dispatch(Note, 'a', 'Throw', {})).rejects.toMatchObject({ code: 'command/decide-failed', cause })
  })

  test('a decide that changes the state it is given is stopped, and spoils no later decision', async () => {
    const { dispatch } = await startCommands(memoryLogStorage(), { app: notes })
    await dispatch(Note, 'a', 'Note', { text: 'one' })
    expect(await codeOf(dispatch(Note, 'a', 'Change', {}))).toBe('command/decide-failed')
  })

  test('an evolve that throws fails the next command of the stream, and not the one that was accepted', async () => {
    const { dispatch } = await startCommands(memoryLogStorage(), { app: notes })
    expect(await dispatch(Note, 'a', 'Break', {})).toMatchObject({ version: 1 })
    await expect(dispatch(Note, 'a', 'Note', { text: 'x' })).rejects.toMatchObject({
      code: 'command/evolve-failed',
      cause,
      data: { type: 'Broken', version: 1 },
    })
    expect(await codeOf(dispatch(Note, 'a', 'Note', { text: 'x' }))).toBe('command/evolve-failed')
    expect(await dispatch(Note, 'b', 'Note', { text: 'x' })).toMatchObject({ version: 1 })
  })
})
