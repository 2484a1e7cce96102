// Money comes in whole centavos; only what is shown is ever divided.
const money = new Intl.NumberFormat('en', { style: 'currency', currency: 'BRL' })
const shortMoney = new Intl.NumberFormat('en', {
  style: 'currency',
  currency: 'BRL',
  notation: 'compact',
  maximumSignificantDigits: 3,
})
const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const time = new Intl.DateTimeFormat('en', { hour: '2-digit', minute: '2-digit', hour12: false })
const date = new Intl.DateTimeFormat('en', { day: 'numeric', month: 'short' })
const utcDate = new Intl.DateTimeFormat('en', { day: 'numeric', month: 'short', timeZone: 'UTC' })

export const sayMoney = centavos => money.format(centavos / 100)
export const sayShortMoney = centavos => shortMoney.format(centavos / 100)
export const sayCount = count => whole.format(count)
export const sayTime = moment => time.format(new Date(moment))
export const sayDay = day => utcDate.format(new Date(`${day}T00:00:00Z`))

export function sayMoment(moment) {
  const then = new Date(moment)
  const today = then.toDateString() === new Date().toDateString()
  return today ? time.format(then) : `${date.format(then)}, ${time.format(then)}`
}

/** Three digits are enough to read, and two of them too many beyond a hundred. */
export function sayMs(ms) {
  if (ms === null) return '–'
  return ms < 10 ? ms.toFixed(1) : whole.format(ms)
}

export function sayRate(perSecond) {
  return perSecond < 10 ? perSecond.toFixed(1) : whole.format(perSecond)
}

/** `12.30` as whole centavos, or `undefined` for what is no amount. */
export function readMoney(text) {
  const match = /^\s*(\d{1,7})(?:[.,](\d{1,2}))?\s*$/.exec(text)
  return match === null ? undefined : Number(match[1]) * 100 + Number((match[2] ?? '').padEnd(2, '0'))
}

/** `order-summaries` as people say it. */
export const sayName = name => name.replaceAll('-', ' ')
