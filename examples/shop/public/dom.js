/** Makes an element: `h('a', { href: '/' }, 'Home')`. Functions are listeners, `null` and `false` are left out. */
export function h(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children)
}

/** The same for SVG. */
export function s(tag, properties = {}, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), properties, children)
}

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue
    if (typeof value === 'function') element.addEventListener(name, value)
    else element.setAttribute(name, value === true ? '' : value)
  }
  element.append(...children.flat().filter(child => child !== null && child !== undefined && child !== false))
  return element
}

export const byId = id => document.getElementById(id)

/** Puts children into an element, and the focus back where it was: on what carries the same `data-focus`. */
export function refill(element, ...children) {
  const focused = element.contains(document.activeElement) ? document.activeElement.dataset.focus : undefined
  element.replaceChildren(...children.flat().filter(child => child !== null && child !== undefined))
  if (focused !== undefined) element.querySelector(`[data-focus="${CSS.escape(focused)}"]`)?.focus()
}

/** Puts exactly these children into an element, and touches nothing where they are there already. */
export function settle(element, children) {
  const same =
    element.children.length === children.length && children.every((child, i) => element.children[i] === child)
  if (!same) refill(element, ...children)
}

/** Runs `work` now and again `everyMs` after it has ended, as long as somebody looks at the page. */
export function whileVisible(everyMs, work) {
  let running = false
  let timer
  async function round() {
    if (running || document.hidden) return
    running = true
    clearTimeout(timer)
    await work()
    running = false
    timer = setTimeout(round, everyMs)
  }
  document.addEventListener('visibilitychange', round)
  void round()
  return round
}
