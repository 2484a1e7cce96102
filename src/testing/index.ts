export { type FoldLawsOptions, foldLaws } from './fold-laws.ts'
export type { SampleEvent } from './sample-events.ts'
