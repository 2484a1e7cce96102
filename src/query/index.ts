export type { Answer, AskOptions, AskQuery } from './ask.ts'
export { type Asker, type AskerOptions, createAsker } from './asker.ts'
export type { ReadableView } from './read.ts'
export { type ServedViews, serveViews } from './serve-views.ts'
