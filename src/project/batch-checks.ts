import { type AnyProjection, BifoldError } from '../define/index.ts'

/** @throws `project/wrong-store` where a batch projection is written for another kind of store. */
export function mustBeFor(store: string, { name, batch }: AnyProjection): void {
  if (batch !== undefined && batch.store !== store) {
    throw new BifoldError('project/wrong-store', { projection: name, needs: batch.store, store })
  }
}

/** @throws `project/no-fold` where there is nothing that could be folded aside. */
export function mustFold({ name, batch }: AnyProjection, purpose: string): void {
  if (batch !== undefined) throw new BifoldError('project/no-fold', { projection: name, purpose })
}
