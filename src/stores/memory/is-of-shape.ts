import { sameColumns, servesJoins, stagesOf, type ViewShape } from '../../project/index.ts'

/** Does a generation of the shape `made` serve those who want `shape`? Indexes may be added to one that there is. */
export function isOfShape(made: ViewShape, shape: ViewShape): boolean {
  return (
    made.projection.version === shape.projection.version &&
    made.projection.shards === shape.projection.shards &&
    stagesOf(made) === stagesOf(shape) &&
    sameColumns(made.columns, shape.columns) &&
    servesJoins(shape, { keepsPast: made.past === true, refs: made.refs ?? [] })
  )
}
