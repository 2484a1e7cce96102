import { embedded } from 'bifold/postgres'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { openShop } from '../src/open-shop.ts'
import { describeInBrowser, startBrowser } from './support/browser.ts'

vi.setConfig({ testTimeout: 120_000 })

/** Runs in the page: keeps every state that an order was shown in, however briefly. */
const watchOrders = `
  window.shown = []
  new MutationObserver(() => {
    for (const badge of document.querySelectorAll('.order .badge')) {
      if (window.shown.at(-1) !== badge.textContent) window.shown.push(badge.textContent)
    }
  }).observe(document, { childList: true, subtree: true })
`

describeInBrowser('the page', () => {
  let shop: Awaited<ReturnType<typeof openShop>>
  let browser: Browser
  let page: Page
  let complaints: string[]

  beforeAll(async () => {
    shop = await openShop({ on: embedded(), runsOn: 'a database of the test', port: 0, commandsPerSecond: 20 })
    browser = await startBrowser()
  })

  afterAll(async () => {
    await browser?.close()
    await shop?.close()
  })

  beforeEach(async () => {
    page = await (await browser.newContext()).newPage()
    page.setDefaultTimeout(30_000)
    await page.addInitScript(watchOrders)
    complaints = []
    page.on('console', message => {
      if (message.type() === 'error') complaints.push(message.text())
    })
    page.on('pageerror', error => complaints.push(String(error)))
    await page.goto(shop.url)
    await page.waitForSelector('.product')
  })

  afterEach(() => page.context().close())

  const order = (status: string) => page.locator(`.order[data-status=${status}]`)

  async function placeOrder(): Promise<void> {
    await page.getByRole('button', { name: 'Add Enamel mug to the basket' }).click()
    await page.getByRole('button', { name: 'One Enamel mug more' }).click()
    await page.getByLabel('Your name').fill('Ana Souza')
    await page.getByRole('button', { name: 'Place order' }).click()
  }

  test('a person places an order and pays it, and sees each at once, after it was processing', async () => {
    await placeOrder()
    await order('placed').waitFor()
    expect(await order('placed').innerText()).toContain('2 × Enamel mug')
    expect(await page.locator('#lines').innerText()).toContain('Nothing in it yet.')

    await page.getByRole('button', { name: 'Pay', exact: true }).click()
    await page.getByText(/Your change was in the view [\d.,]+ ms after it was accepted/).waitFor()
    await order('paid').waitFor()
    const shown = await page.evaluate('window.shown')
    expect(shown).toEqual(['Processing order…', 'Awaiting payment', 'Processing payment…', 'Paid, being packed'])
    expect(complaints).toEqual([])

    await page.reload()
    await page.locator('.order').waitFor()
    expect(await page.locator('.order').getAttribute('data-status')).not.toBe('placed')
  })

  test('the warehouse ships and delivers what a person paid, and the person reviews it', async () => {
    await placeOrder()
    await page.getByRole('button', { name: 'Pay', exact: true }).click()
    await order('delivered').waitFor({ timeout: 90_000 })
    await page.getByRole('button', { name: '5 of 5' }).click()
    await page.getByText('Thank you.').waitFor()
    expect(complaints).toEqual([])
  })

  test('what a rule refuses is said kindly, and nothing is lost', async () => {
    await page.getByLabel('Your name').fill('Ana Souza')
    await page.getByRole('button', { name: 'Place order' }).click()
    await page.getByText('Your basket is still empty.').waitFor()

    await placeOrder()
    await page.getByLabel('Amount').fill('1.00')
    await page.getByRole('button', { name: 'Pay', exact: true }).click()
    await page.getByText('That is not what the order costs').waitFor()
    await page.getByRole('button', { name: 'Cancel order' }).click()
    await order('cancelled').waitFor()
    // Chromium itself complains of each answer that is a refusal
    expect(complaints.filter(text => !text.includes('422'))).toEqual([])
  })

  test('the figures behind the counter are measured and move', async () => {
    const lag = page.locator('[data-view="order-summaries"] [data-figure="p50"]')
    const events = page.locator('#pulse')
    await expect.poll(() => lag.innerText(), { timeout: 20_000 }).toMatch(/^[\d.,]+$/)
    const [firstLag, firstEvents] = [await lag.innerText(), await events.innerText()]
    await expect.poll(() => events.innerText(), { timeout: 20_000 }).not.toBe(firstEvents)
    await expect.poll(() => lag.innerText(), { timeout: 20_000 }).not.toBe(firstLag)
    expect(await page.locator('#views tr').count()).toBe(3)
    expect(await page.locator('#write-rate').innerText()).toMatch(/^[\d.,]+$/)
    expect(await page.locator('#status-chart li').count()).toBe(5)
    await page.locator('#revenue-chart rect').first().waitFor({ state: 'attached' })
    expect(complaints).toEqual([])
  })

  test('the page fits a narrow screen', async () => {
    await page.setViewportSize({ width: 360, height: 740 })
    const overflow = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')
    expect(overflow).toBe(0)
  })
})
