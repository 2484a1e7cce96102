import { addToBasket, emptyBasket, orderLines, showBasket } from './basket.js'
import { showCatalogue, showCategories } from './catalogue.js'
import { showBusiness, showFigures } from './counter.js'
import { customer, introduce } from './customer.js'
import { byId, whileVisible } from './dom.js'
import { placeOrder, refreshOrders } from './orders.js'

showBasket()
byId('name').value = customer.name

const refreshCatalogue = whileVisible(
  5_000,
  quietly(() => showCatalogue(added)),
)
showCategories(refreshCatalogue)
whileVisible(2_000, quietly(refreshOrders))
whileVisible(1_000, quietly(showFigures))
whileVisible(2_000, quietly(showBusiness))

function added(product) {
  addToBasket(product)
  tell(`${product.title} is in your basket.`)
}

byId('order-form').addEventListener('submit', async event => {
  event.preventDefault()
  const button = byId('place')
  button.disabled = true
  tell('')
  try {
    await introduce(byId('name').value.trim())
    const lines = orderLines()
    const placed = placeOrder(lines)
    if (lines.length > 0) byId('orders').scrollIntoView({ block: 'nearest', behavior: 'smooth' })
    const refused = await placed
    if (refused === undefined) emptyBasket()
    else tell(refused.message, 'bad')
  } catch (problem) {
    tell(problem.message, 'bad')
  } finally {
    button.disabled = false
  }
})

function tell(words, tone = '') {
  const notice = byId('basket-notice')
  notice.textContent = words
  notice.className = `notice ${tone}`
}

/** A round of looking that fails says so once, in one place, and is tried again. */
function quietly(look) {
  return async () => {
    try {
      await look()
      document.body.classList.remove('offline')
    } catch {
      document.body.classList.add('offline')
    }
  }
}
