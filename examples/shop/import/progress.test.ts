import { expect, test } from 'vitest'
import { progressOn, summaryOf } from './progress.ts'
import type { Tally } from './send.ts'

function tallyOf(handled: number): Tally {
  return { handled, accepted: handled, repeated: 0, refusedBefore: 0, rejected: new Map() }
}

function recorded(isTTY: boolean) {
  let nowMs = 0
  const written: string[] = []
  const progress = progressOn({ isTTY, write: text => written.push(text) }, 1000, () => nowMs)
  const at = (ms: number, handled: number): void => {
    nowMs = ms
    progress.update(tallyOf(handled))
  }
  return { written, at, end: progress.end }
}

test('a terminal shows one line, drawn anew ten times a second at most', () => {
  const { written, at, end } = recorded(true)
  at(0, 1)
  at(50, 100)
  at(100, 200)
  at(120, 210)
  end()
  expect(written).toEqual([
    '\r\u001b[K1 of 1,000 commands (0 %), 1,000/s',
    '\r\u001b[K200 of 1,000 commands (20 %), 2,000/s',
    '\r\u001b[K210 of 1,000 commands (21 %), 1,750/s',
    '\n',
  ])
})

test('a file gets a line every two seconds, and the last one', () => {
  const { written, at, end } = recorded(false)
  for (let ms = 1000; ms <= 5000; ms += 500) at(ms, ms / 10)
  end()
  expect(written).toEqual([
    '100 of 1,000 commands (10 %), 100/s\n',
    '300 of 1,000 commands (30 %), 100/s\n',
    '500 of 1,000 commands (50 %), 100/s\n',
  ])
})

test('the summary names each rule with its count, the most frequent first', () => {
  const rejected = new Map([
    ['order-not-paid', 2],
    ['order-not-delivered', 40],
  ])
  const tally: Tally = { handled: 1052, accepted: 1000, repeated: 7, refusedBefore: 3, rejected }
  const idle = { 'customers without an order': 0, 'products never ordered': 5, 'payments never approved': 0 }
  expect(summaryOf(tally, idle, 1.25).split('\n')).toEqual([
    '1,052 commands in 1.3 s',
    '  accepted                                     1,000',
    '  repeated (accepted by an earlier import)         7',
    '  refused by an earlier import                     3',
    '  rejected                                        42',
    '    order-not-delivered                           40',
    '    order-not-paid                                 2',
    'rows without a command',
    '  products never ordered         5',
    '',
  ])
})
