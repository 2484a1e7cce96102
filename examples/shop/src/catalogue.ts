import { isError, type System } from 'bifold'
import { Product } from './domain/product.ts'

/** What the shop begins with: id, title, category, price in centavos. */
export const startingCatalogue = [
  ['enamel-mug', 'Enamel mug', 'kitchen', 3_990],
  ['moka-pot', 'Moka pot for three', 'kitchen', 15_900],
  ['chef-knife', "Chef's knife, 20 cm", 'kitchen', 24_900],
  ['cutting-board', 'Beech cutting board', 'kitchen', 8_990],
  ['linen-apron', 'Linen apron', 'kitchen', 11_900],
  ['desk-lamp', 'Folding desk lamp', 'living', 18_990],
  ['wool-blanket', 'Wool blanket', 'living', 32_900],
  ['wall-clock', 'Silent wall clock', 'living', 9_990],
  ['clay-vase', 'Clay vase', 'living', 7_490],
  ['beeswax-candle', 'Beeswax candle', 'living', 2_990],
  ['fountain-pen', 'Fountain pen', 'paper', 13_900],
  ['dot-notebook', 'Dotted notebook', 'paper', 4_490],
  ['letter-set', 'Letter paper and envelopes', 'paper', 5_990],
  ['pencil-dozen', 'A dozen pencils', 'paper', 2_490],
  ['hand-trowel', 'Hand trowel', 'garden', 4_990],
  ['watering-can', 'Watering can, 5 litres', 'garden', 12_900],
  ['herb-seeds', 'Seeds for six herbs', 'garden', 1_990],
  ['garden-twine', 'Garden twine', 'garden', 1_490],
  ['canvas-bag', 'Canvas shoulder bag', 'travel', 16_900],
  ['steel-bottle', 'Steel bottle, 750 ml', 'travel', 9_490],
  ['pocket-torch', 'Pocket torch', 'travel', 6_990],
  ['rain-poncho', 'Rain poncho', 'travel', 14_900],
  ['wooden-train', 'Wooden train', 'play', 19_900],
  ['spinning-top', 'Spinning top', 'play', 2_790],
] as const

/** Puts the starting catalogue into the shop. A product that is there already is left as it is. */
export async function stock({ dispatch }: Pick<System, 'dispatch'>): Promise<void> {
  await Promise.all(
    startingCatalogue.map(async ([productId, title, category, price]) => {
      try {
        await dispatch(Product, productId, 'AddProduct', { title, category, price })
      } catch (error) {
        if (!isError(error, 'command/stream-exists')) throw error
      }
    }),
  )
}
