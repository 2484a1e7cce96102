export type { Answer, AskOptions, AskQuery } from './ask.ts'
