import { app } from 'bifold'
import { Customer } from './domain/customer.ts'
import { Order } from './domain/order.ts'
import { Product } from './domain/product.ts'
import { Customers, customer } from './views/customers.ts'
import { ordersPerStatus, refundsPerDay, revenuePerDay } from './views/order-figures.ts'
import { OrderSummaries, order, orderQueue, ordersOfCustomer, recentOrders } from './views/order-summaries.ts'
import { bestSellers, catalogue, ProductPages, product, products } from './views/product-pages.ts'

export const shop = app('shop', {
  aggregates: [Customer, Product, Order],
  projections: [Customers, OrderSummaries, ProductPages],
  queries: [
    customer,
    order,
    ordersOfCustomer,
    recentOrders,
    orderQueue,
    product,
    products,
    catalogue,
    bestSellers,
    ordersPerStatus,
    revenuePerDay,
    refundsPerDay,
  ],
})
