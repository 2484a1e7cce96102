import { app } from 'bifold'
import { Customer } from './domain/customer.ts'
import { Order } from './domain/order.ts'
import { Product } from './domain/product.ts'
import { Customers, customer } from './views/customers.ts'
import { OrderSummaries, order, orderQueue, ordersOfCustomer, recentOrders } from './views/order-summaries.ts'
import { OrdersPerStatus, ordersPerStatus } from './views/orders-per-status.ts'
import { bestSellers, catalogue, ProductPages, product, products } from './views/product-pages.ts'
import { RevenuePerDay, revenuePerDay } from './views/revenue-per-day.ts'

export const shop = app('shop', {
  aggregates: [Customer, Product, Order],
  projections: [Customers, OrderSummaries, ProductPages, OrdersPerStatus, RevenuePerDay],
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
  ],
})
