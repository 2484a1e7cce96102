import { ask, stats } from './api.js'
import { bars, columns, sparkline } from './charts.js'
import { byId, h, refill } from './dom.js'
import { sayCount, sayMs, sayName, sayRate } from './format.js'

const statuses = ['placed', 'paid', 'shipped', 'delivered', 'cancelled']
const daysShown = 7
const dayMs = 86_400_000

/** The measured figures, once a second. */
export async function showFigures() {
  const { runsOn, position, writes, reads, views, rejections } = await stats()
  byId('runs-on').textContent = `On ${runsOn}. Measured in the running process, over the last 30 seconds.`
  byId('pulse').textContent = `${sayCount(position)} events in the log`

  const rates = writes.eventsPerSecond
  const last = rates.slice(-5)
  const rate = last.length === 0 ? undefined : last.reduce((sum, value) => sum + value, 0) / last.length
  byId('write-rate').textContent = rate === undefined ? '–' : sayRate(rate)
  refill(byId('write-spark'), sparkline(rates))

  showSpread('command', writes.latencyMs)
  showSpread('read', reads.latencyMs)
  showSpread('own', reads.ownWriteMs)
  refill(byId('views'), ...views.map(rowOf))

  const refused = Object.entries(rejections).map(([name, value]) => ({ name, value }))
  refill(byId('rejections'), bars(refused.sort((a, b) => b.value - a.value).slice(0, 8)))
}

function showSpread(name, { p50, p95 }) {
  byId(`${name}-p50`).textContent = sayMs(p50)
  byId(`${name}-p95`).textContent = sayMs(p95)
}

function rowOf({ projection, state, behindEvents, lagMs, waitingMs }) {
  const waiting = waitingMs > 1_000 ? `, waiting ${sayMs(waitingMs)} ms` : ''
  return h(
    'tr',
    { 'data-view': projection },
    h('th', { scope: 'row' }, sayName(projection)),
    h('td', {}, h('span', { class: 'state', 'data-state': state }, sayName(state) + waiting)),
    h('td', { class: 'number', 'data-figure': 'behind' }, sayCount(behindEvents)),
    h('td', { class: 'number', 'data-figure': 'p50' }, sayMs(lagMs.p50)),
    h('td', { class: 'number', 'data-figure': 'p95' }, sayMs(lagMs.p95)),
  )
}

/** What the shop's own views say: queries like any other. */
export async function showBusiness() {
  const today = new Date(Math.floor(Date.now() / dayMs) * dayMs)
  const days = Array.from({ length: daysShown }, (_, i) => {
    const day = new Date(today.getTime() - (daysShown - 1 - i) * dayMs)
    return day.toISOString().slice(0, 10)
  })
  const [perStatus, perDay] = await Promise.all([
    ask('orders-per-status'),
    ask('revenue-per-day', { from: days[0], limit: daysShown + 1 }),
  ])
  const orders = new Map((perStatus?.rows ?? []).map(row => [row.group, row.orders]))
  refill(byId('status-chart'), bars(statuses.map(name => ({ name, value: orders.get(name) ?? 0 }))))
  const revenue = new Map((perDay?.rows ?? []).map(row => [row.group, row.revenue]))
  refill(byId('revenue-chart'), columns(days.map(day => ({ day, revenue: revenue.get(day) ?? 0 }))))
}
