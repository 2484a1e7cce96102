import { expect, test } from 'vitest'
import { optionsFrom } from './options.ts'

const benches = new Map([
  ['append', 'appends'],
  ['lag', 'the lag'],
])

test('a name, and what may stand beside it', () => {
  expect(optionsFrom(['append'], benches)).toEqual({ bench: 'appends', quick: false, json: undefined })
  expect(optionsFrom(['--quick', 'lag', '--json', 'lag.json'], benches)).toEqual({
    bench: 'the lag',
    quick: true,
    json: 'lag.json',
  })
})

test.each([
  ['no name', []],
  ['a name that there is not', ['reads']],
  ['a name that every object has', ['constructor']],
  ['two benches', ['append', 'lag']],
  ['an unknown option', ['append', '--slow']],
  ['a file without its name', ['append', '--json']],
  ['a file with an empty name', ['append', '--json=']],
])('%s is a problem', (_, args) => {
  expect(optionsFrom(args, benches)).toEqual({ problem: expect.stringMatching(/\w+/) })
})
