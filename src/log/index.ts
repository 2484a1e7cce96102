export { createLog, type LogOptions } from './create-log.ts'
export { checkStream } from './encode.ts'
export { fingerprintOf } from './ids.ts'
export { keyHash } from './key-hash.ts'
export type { LogLimits } from './limits.ts'
export type {
  Anchor,
  AppendOutcome,
  AppendRequest,
  CommandKey,
  CommandOutcome,
  EventLog,
  Expected,
  Page,
  ReadOptions,
  ShardFilter,
  Snapshot,
  StreamKey,
} from './log.ts'
export { defaultTenant, origin } from './log.ts'
export { type MemoryTransaction, memoryLogStorage } from './memory.ts'
export { type OpenBatch, type Participant, type Participation, Refused } from './participant.ts'
export { type Runtime, systemRuntime } from './runtime.ts'
export type {
  BatchResult,
  EncodedAppend,
  EncodedEvent,
  FromSnapshot,
  LogStorage,
  OpenAppend,
  StoredEvent,
  StoredOutcome,
  StoredPage,
  Verdict,
  WithinAppend,
} from './storage.ts'
export { problemOfName } from './text.ts'
export { anchorOf, type Token, tokenOf } from './token.ts'
