import { ask, newId, send } from './api.js'
import { learn, titleOf } from './catalogue.js'
import { customer } from './customer.js'
import { byId, h, settle } from './dom.js'
import { readMoney, sayMoment, sayMoney, sayMs } from './format.js'

/**
 * Own orders, by id: the row of the order view, and what is going on with it on this page. A row is absent while the
 * order is being placed.
 */
const orders = new Map()

/** "Processing" is shown at least so long: what is over in five milliseconds, nobody sees. */
const leastShownMs = 700

const stands = {
  placed: 'Awaiting payment',
  paid: 'Paid, being packed',
  shipped: 'On its way to you',
  delivered: 'It has arrived',
  cancelled: 'Cancelled',
}

const methods = { 'credit-card': 'Credit card', 'debit-card': 'Debit card', boleto: 'Boleto', voucher: 'Voucher' }

/** The id of the order to come. It stays until that order is taken, so that a lost answer makes no second order. */
let nextId = newId()

/** Places an order. Answers with the problem where it was refused: then there is no order. */
export async function placeOrder(lines) {
  const orderId = nextId
  orders.set(orderId, { orderId, lines, placedAt: new Date().toISOString() })
  const refused = await act(orderId, 'PlaceOrder', { customerId: customer.id, lines })
  if (refused === undefined) {
    nextId = newId()
  } else {
    orders.delete(orderId)
    showOrders()
  }
  return refused
}

/** Sends a command, then asks for the order with the command's token. Answers with the problem where it was refused. */
async function act(orderId, command, input) {
  note(orderId, { processing: command, problem: undefined, readableMs: undefined })
  const shownLongEnough = new Promise(resolve => setTimeout(resolve, leastShownMs))
  try {
    await send('order', orderId, command, input)
  } catch (problem) {
    // The order is there: an earlier try, whose answer was lost, has come through after all
    if (problem.code !== 'command/stream-exists') {
      await shownLongEnough
      note(orderId, { processing: undefined, problem })
      return problem
    }
  }
  const accepted = performance.now()
  const row = await ownOrder(orderId)
  const readableMs = performance.now() - accepted
  await shownLongEnough
  note(orderId, { processing: undefined, row, readableMs })
  announce(row)
  return undefined
}

/** What was accepted is processing until the view shows it, however far behind the view is. */
async function ownOrder(orderId) {
  for (;;) {
    const row = await ask('order', { orderId }, { own: true }).catch(() => null)
    if (row !== null) return row
    await new Promise(resolve => setTimeout(resolve, 500))
  }
}

/** Takes in what became of the orders meanwhile: the warehouse ships and delivers them. */
export async function refreshOrders() {
  const answer = await ask('orders-of-customer', { customerId: customer.id, limit: 20 }, { own: true })
  if (answer === null) return
  await learn(answer.rows.flatMap(({ lines }) => lines.map(line => line.productId)))
  for (const row of answer.rows) {
    const known = orders.get(row.orderId)
    if (known?.processing !== undefined) continue
    if (known?.row !== undefined && known.row.status !== row.status) announce(row)
    orders.set(row.orderId, { ...known, orderId: row.orderId, placedAt: row.placedAt, row })
  }
  showOrders()
}

function note(orderId, changes) {
  orders.set(orderId, { ...orders.get(orderId), ...changes })
  showOrders()
}

/** For who does not see the card. What was refused announces itself. */
function announce({ orderId, status }) {
  byId('announcer').textContent = `Order ${shortOf(orderId)}: ${stands[status]}`
}

const shortOf = orderId => orderId.slice(0, 6)

/** The card of each order, kept until what it shows has changed: nobody loses what they are typing. */
const cards = new Map()

function showOrders() {
  const newestFirst = [...orders.values()].sort((a, b) => b.placedAt.localeCompare(a.placedAt))
  byId('no-orders').hidden = newestFirst.length > 0
  settle(byId('order-list'), newestFirst.map(cardFor))
}

function cardFor(entry) {
  const { row, lines, processing, problem, readableMs } = entry
  const shown = JSON.stringify([row, lines, processing, problem?.message, readableMs])
  const kept = cards.get(entry.orderId)
  if (kept?.shown === shown) return kept.element
  const element = cardOf(entry)
  cards.set(entry.orderId, { shown, element })
  return element
}

function cardOf(entry) {
  const { orderId, row, processing, problem, readableMs } = entry
  const status = processing !== undefined || row === undefined ? 'processing' : row.status
  const lines = row?.lines ?? entry.lines ?? []
  const total = row?.total ?? lines.reduce((sum, line) => sum + line.quantity * line.unitPrice + line.freight, 0)
  return h(
    'li',
    { class: 'order', 'data-status': status, 'data-order': orderId, 'aria-busy': String(status === 'processing') },
    h(
      'div',
      { class: 'order-head' },
      h('span', { class: 'badge' }, status === 'processing' ? doing(processing) : stands[status]),
      h('strong', {}, sayMoney(total)),
    ),
    h(
      'p',
      { class: 'minor' },
      `${shortOf(orderId)}${row?.customerName ? ` · ${row.customerName}` : ''} · ${lines.map(({ productId, quantity }) => `${quantity} × ${titleOf(productId)}`).join(', ')}`,
    ),
    row === undefined ? null : stepsOf(row),
    problem === undefined ? null : h('p', { class: 'notice bad', role: 'alert' }, problem.message),
    readableMs === undefined || status === 'processing'
      ? null
      : h('p', { class: 'minor own' }, `Your change was in the view ${sayMs(readableMs)} ms after it was accepted.`),
    row === undefined || status === 'processing' ? null : actionsOf(row, problem),
  )
}

function doing(command) {
  if (command === 'PlaceOrder') return 'Processing order…'
  return command === 'PayOrder' ? 'Processing payment…' : 'Processing…'
}

function stepsOf(row) {
  const steps = [
    ['Ordered', row.placedAt],
    ['Paid', row.paidAt],
    ...(row.status === 'cancelled'
      ? [['Cancelled', row.cancelledAt]]
      : [
          ['Shipped', row.shippedAt],
          ['Arrived', row.deliveredAt],
        ]),
  ]
  return h(
    'ol',
    { class: 'steps' },
    steps.map(([name, at]) =>
      h(
        'li',
        { class: at === null ? '' : 'done' },
        name,
        at === null ? null : h('time', { datetime: at }, sayMoment(at)),
      ),
    ),
  )
}

function actionsOf(row, problem) {
  switch (row.status) {
    case 'placed':
      return payment(row, problem)
    case 'paid':
    case 'shipped':
      return h('div', { class: 'actions' }, cancelButton(row))
    case 'delivered':
      return row.score === null ? reviewOf(row) : h('p', { class: 'thanks' }, `${'★'.repeat(row.score)} Thank you.`)
    default:
      return row.refund > 0 ? h('p', { class: 'minor' }, `${sayMoney(row.refund)} go back to you.`) : null
  }
}

function payment({ orderId, total }) {
  const pay = event => {
    event.preventDefault()
    const { method, amount } = event.target.elements
    const centavos = readMoney(amount.value)
    amount.setCustomValidity(centavos === undefined ? 'An amount like 49.90, please.' : '')
    if (amount.reportValidity()) {
      void act(orderId, 'PayOrder', { parts: [{ method: method.value, amount: centavos }] })
    }
  }
  return h(
    'form',
    { class: 'pay', submit: pay, novalidate: true },
    h(
      'label',
      {},
      'Pay by',
      h(
        'select',
        { name: 'method', 'data-focus': `method-${orderId}` },
        Object.entries(methods).map(([value, words]) => h('option', { value }, words)),
      ),
    ),
    h(
      'label',
      {},
      'Amount',
      h('input', {
        name: 'amount',
        inputmode: 'decimal',
        value: (total / 100).toFixed(2),
        'data-focus': `amount-${orderId}`,
        input: event => event.target.setCustomValidity(''),
      }),
    ),
    h('button', { type: 'submit', class: 'primary', 'data-focus': `pay-${orderId}` }, 'Pay'),
    cancelButton({ orderId }),
  )
}

function cancelButton({ orderId }) {
  const cancel = () => act(orderId, 'CancelOrder', {})
  return h(
    'button',
    { type: 'button', class: 'quiet', 'data-focus': `cancel-${orderId}`, click: cancel },
    'Cancel order',
  )
}

function reviewOf({ orderId }) {
  return h(
    'div',
    { class: 'actions', role: 'group', 'aria-label': 'Review this order' },
    h('span', { class: 'minor' }, 'How was it?'),
    [1, 2, 3, 4, 5].map(score =>
      h(
        'button',
        {
          type: 'button',
          class: 'star',
          'aria-label': `${score} of 5`,
          'data-focus': `score-${orderId}-${score}`,
          click: () => act(orderId, 'ReviewOrder', { score }),
        },
        '★',
      ),
    ),
  )
}
