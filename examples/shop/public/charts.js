import { h, s } from './dom.js'
import { sayCount, sayDay, sayMoney, sayName, sayRate, sayShortMoney } from './format.js'

/** A line of the last minute. */
export function sparkline(values) {
  const width = 300
  const height = 56
  const most = Math.max(...values, 1)
  const x = i => width - (values.length - 1 - i) * (width / 59)
  const y = value => height - 3 - (value / most) * (height - 8)
  const points = values.map((value, i) => `${x(i).toFixed(1)},${y(value).toFixed(1)}`)
  const words = `Events per second over the last minute, at most ${sayRate(most)}`
  return s(
    'svg',
    { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': words },
    points.length < 2
      ? null
      : [
          s('path', { class: 'area', d: `M${x(0)},${height} L${points.join(' L')} L${width},${height} Z` }),
          s('polyline', { class: 'line', points: points.join(' ') }),
        ],
  )
}

/** One bar for each name: a list, so that it reads the same without eyes. */
export function bars(rows, say = sayCount) {
  const most = Math.max(...rows.map(({ value }) => value), 1)
  if (rows.length === 0) return h('p', { class: 'empty' }, 'None so far.')
  return h(
    'ul',
    { class: 'bars' },
    rows.map(({ name, value }) =>
      h(
        'li',
        {},
        h('span', { class: 'name' }, sayName(name)),
        h(
          'span',
          { class: 'bar' },
          s(
            'svg',
            { viewBox: '0 0 100 10', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
            s('rect', { width: Math.max((value / most) * 100, value === 0 ? 0 : 0.8), height: 10, rx: 1 }),
          ),
        ),
        h('span', { class: 'value' }, say(value)),
      ),
    ),
  )
}

/** Columns by day, the newest at the right; a day without revenue keeps its place. */
export function columns(days) {
  const width = 420
  const height = 170
  const floor = height - 24
  const most = Math.max(...days.map(({ revenue }) => revenue), 1)
  const step = width / days.length
  return s(
    'svg',
    { class: 'columns', viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': wordsOf(days) },
    s('line', { class: 'axis', x1: 0, x2: width, y1: floor + 0.5, y2: floor + 0.5 }),
    days.flatMap(({ day, revenue }, i) => {
      const tall = (revenue / most) * (floor - 22)
      const middle = i * step + step / 2
      const last = i === days.length - 1
      return [
        s('rect', { x: i * step + step * 0.16, y: floor - tall, width: step * 0.68, height: tall, rx: 2 }),
        revenue > 0 ? s('text', { class: 'top', x: middle, y: floor - tall - 6 }, sayShortMoney(revenue)) : null,
        s('text', { x: middle, y: height - 6 }, last ? 'today' : sayDay(day)),
      ]
    }),
  )
}

function wordsOf(days) {
  const said = days
    .filter(({ revenue }) => revenue > 0)
    .map(({ day, revenue }) => `${sayDay(day)} ${sayMoney(revenue)}`)
  return `Revenue per day: ${said.join(', ') || 'none so far'}`
}
