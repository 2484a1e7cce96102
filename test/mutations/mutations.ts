import type { Mutation } from './mutation.ts'
import { ofEngine } from './of-engine.ts'
import { ofRows } from './of-rows.ts'
import { ofStores } from './of-stores.ts'

/** What exactness rests on: each is broken once. */
export const mutations: readonly Mutation[] = [...ofStores, ...ofRows, ...ofEngine]
