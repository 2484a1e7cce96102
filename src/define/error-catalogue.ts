import type { Issue } from './schema.ts'

/**
 * The catalogue of errors. A code is stable and is what callers match on; a message says what happened, with which
 * values, and what to do next. No message holds what users stored: payloads and inputs stay out of logs.
 * `docs/errors.md` explains each code at length; a test binds the two.
 */
export const catalogue = {
  // Definitions, checked when the app is made
  'define/invalid-name': (at: { place: string; name: string; rule: string }) =>
    `${at.place}: the name ${quote(at.name)} will not do: ${at.rule}.`,
  'define/duplicate-name': (at: { place: string; name: string }) =>
    `${at.place}: the name ${quote(at.name)} is taken. Names are unique in an app; give one of the two another name.`,
  'define/unhandled-event': (at: { place: string; type: string }) =>
    `${at.place}: no evolve for the event ${quote(at.type)}. Add evolve.${at.type}; return the state as it is where the event changes nothing.`,
  'define/unknown-event': (at: { place: string; type: string }) =>
    `${at.place}: there is no event ${quote(at.type)} in the contracts it is made from. Check the name, or add its contract.`,
  'define/unknown-contract': (at: { place: string; category: string }) =>
    `${at.place}: the contract ${quote(at.category)} belongs to no aggregate of the app. Add its aggregate to \`aggregates\`, or, where another app writes it, the contract to \`events\`.`,
  'define/unknown-projection': (at: { place: string; projection: string }) =>
    `${at.place}: it reads the projection ${quote(at.projection)}, which is not in the app. Add it to \`projections\`.`,
  'define/invalid-row': (at: { place: string; column?: string; problem: string }) =>
    `${at.place}${at.column === undefined ? '' : `, column ${quote(at.column)}`}: ${at.problem}.`,
  'define/invalid-index': (at: { place: string; column: string; problem: string }) =>
    `${at.place}: the index on ${quote(at.column)} cannot be: ${at.problem}.`,
  'define/invalid-upcast': (at: { place: string; problem: string }) => `${at.place}: ${at.problem}.`,
  'define/invalid-definition': (at: { place: string; problem: string }) => `${at.place}: ${at.problem}.`,
  // The log
  'log/invalid-stream': (at: { part: 'tenant' | 'category' | 'id'; rule: string }) =>
    `The stream's ${at.part} will not do: ${at.rule}.`,
  'log/invalid-event': (at: { type: string; issues: readonly Issue[] }) =>
    `An event ${quote(at.type)} was not appended: ${sayIssues(at.issues)}.`,
  'log/invalid-append': (at: { problem: string }) => `An append was refused: ${at.problem}.`,
  'log/overloaded': (at: { queuedEvents: number; queuedBytes: number; limitEvents: number; limitBytes: number }) =>
    `The log's queue is full: ${at.queuedEvents} events and ${at.queuedBytes} bytes wait (limits ${at.limitEvents} and ${at.limitBytes}). Nothing was appended; send it again later.`,
  'log/document-refused': (at: { problem: string }) =>
    `The database refused a document: ${at.problem}. This append alone was refused.`,
  'log/outcome-unknown': (at: { commandId?: string; waitedMs: number }) =>
    `The connection was lost while an append was under way, and after ${at.waitedMs} ms it is still not known whether it was committed. ${
      at.commandId === undefined
        ? 'Look at the stream before you send it again; a command that is given an id can be sent again as it is.'
        : `Send the command again with the id ${quote(at.commandId)}: it is carried out once.`
    }`,
  'log/connection-lost': (at: { problem: string }) =>
    `The connection to the log's database was lost: ${at.problem}. Nothing was appended. It is made again by itself; try again.`,
  'log/rewound': (at: { position: number }) =>
    `The log is not the one that this process knows: the event at position ${at.position} is missing or another. It was restored to an earlier state, or failed over without its last events. Nothing was applied; find out what was lost, then start this process again.`,
  'log/storage-failed': (at: { sqlState: string; problem: string }) =>
    `The log's database answered with an error (SQLSTATE ${at.sqlState}): ${at.problem}. Nothing was written.`,
  'log/unknown-event-type': (at: { type: string; position: number }) =>
    `The event at position ${at.position} has the type ${quote(at.type)}, which no contract of this app declares. Add the contract, or read with a filter.`,
  'log/undecodable-event': (at: { type: string; position: number; problem: string }) =>
    `The event ${quote(at.type)} at position ${at.position} cannot be read: ${at.problem}.`,
  'log/closed': (_: Record<string, never>) =>
    'The log is closed: this process is shutting down. Send it to another one.',

  // Setting up
  'setup/missing-peer': (at: { peer: string; purpose: string }) =>
    `The package ${quote(at.peer)}, which ${at.purpose} needs, is not installed. Install it: npm install ${at.peer}`,
  'setup/invalid-option': (at: { option: string; rule: string }) =>
    `The option ${quote(at.option)} will not do: ${at.rule}.`,
  'setup/notifications-lost': (_: Record<string, never>) =>
    'A notification that this process sent itself through PostgreSQL did not come back: most likely a pooler of transactions stands in between. Nothing is lost, but what other processes do is found by polling, up to a second later. Give `postgres` a URL that leads to the server itself, or to a pooler of sessions.',
  'setup/migration-changed': (at: { name: string }) =>
    `The migration ${at.name} was applied to this database in another form than this release has. Applied migrations never change; restore the file, and put the change into a new migration.`,

  'embedded/unusable-directory': (at: { directory: string; problem: string }) =>
    `The embedded database cannot use the directory ${quote(at.directory)}: ${at.problem}. Give it a directory of its own that this user may write to; if it held a database, put back a copy of it.`,
  'embedded/directory-locked': (at: {
    directory: string
    pid: number
    host: string
    /** ISO 8601. */
    since: string
    /** The lock to remove by hand, where this process cannot see whether the holder lives. */
    lock?: string
  }) =>
    `The database directory ${quote(at.directory)} has been in use by process ${at.pid} on ${at.host} since ${at.since}. One process at a time can open it: stop that one, or give this one another directory.${at.lock === undefined ? '' : ` Whether it still runs cannot be seen from here; if it does not, remove ${quote(at.lock)}.`}`,

  // Consistency tokens
  'token/invalid': (_: Record<string, never>) =>
    'This is no consistency token. Pass on the one that a command answered, unchanged.',
  'token/other-log': (at: { logId: string }) =>
    `The token belongs to another log; this one is ${at.logId}. Positions of one log mean nothing in another.`,
  'token/not-in-log': (at: { position: number }) =>
    `The token names an event at position ${at.position} that is not in the log: the log was restored to an earlier state since. What the token stood for is gone; read without it.`,

  // The command side
  'command/unknown': (at: { category: string; command: string }) =>
    `The app has no command ${quote(at.command)} of ${quote(at.category)}. Check the names, or add its aggregate to the app.`,
  'command/invalid-id': (at: { rule: string }) => `The command id will not do: ${at.rule}.`,
  'command/invalid-input': (at: { category: string; command: string; issues: readonly Issue[] }) =>
    `The input of ${quote(`${at.category}/${at.command}`)} will not do: ${sayIssues(at.issues)}.`,
  'command/rejected': (at: {
    category: string
    command: string
    reason: string
    message: string
    details?: Readonly<Record<string, unknown>>
  }) =>
    `The command ${quote(`${at.category}/${at.command}`)} was rejected: ${at.reason}. Its data say more, for the caller.`,
  'command/stream-not-found': (at: { category: string; streamId: string; command: string }) =>
    `The command ${quote(`${at.category}/${at.command}`)} needs a stream that has events, and ${quote(at.streamId)} has none.`,
  'command/stream-exists': (at: { category: string; streamId: string; command: string; version: number }) =>
    `The command ${quote(`${at.category}/${at.command}`)} begins a stream, and ${quote(at.streamId)} is already at version ${at.version}.`,
  'command/version-mismatch': (at: { category: string; streamId: string; expected: number; version: number }) =>
    `The stream ${quote(at.streamId)} of ${quote(at.category)} is at version ${at.version}, not at the expected ${at.expected}. Look at what has changed, and send the command again.`,
  'command/conflict': (at: { category: string; streamId: string; attempts: number }) =>
    `The stream ${quote(at.streamId)} of ${quote(at.category)} moved ${at.attempts} times while the command was decided. Nothing was appended; send it again.`,
  'command/id-reused': (at: { command: string; commandId: string }) =>
    `The command id ${quote(at.commandId)} was given to another ${quote(at.command)} before: its stream or its input differ. Give every command an id of its own.`,
  'command/decide-failed': (at: { category: string; command: string }) =>
    `The decide of ${quote(`${at.category}/${at.command}`)} threw. Its error is the cause; return reject(…) where a rule says no.`,
  'command/invalid-decision': (at: { category: string; command: string; problem: string }) =>
    `The decide of ${quote(`${at.category}/${at.command}`)} returned what it may not: ${at.problem}.`,
  'command/evolve-failed': (at: { category: string; streamId: string; type: string; version: number }) =>
    `The evolve of ${quote(at.category)} threw on the event ${quote(at.type)} at version ${at.version} of the stream ${quote(at.streamId)}. Its error is the cause; states are frozen, so return a new one.`,
  'command/snapshot-failed': (at: { category: string; streamId: string; version: number; problem: string }) =>
    `The state of the stream ${quote(at.streamId)} of ${quote(at.category)} at version ${at.version} was not kept: ${at.problem}. No command fails of it; without a kept state the stream is folded from further back.`,
  'command/overloaded': (at: { pending: number; limit: number }) =>
    `This process carries out ${at.pending} commands at once, and takes no more than ${at.limit}. Nothing was done; send it again later.`,

  // The query side
  'query/unknown': (at: { query: string }) =>
    `The app has no query ${quote(at.query)}. Check the name, or add it to the app.`,
  'query/not-found': (at: { query: string }) =>
    `The query ${quote(at.query)} found no row under this key. If it was just written, ask with the token of the command that wrote it.`,
  'query/invalid-input': (at: { query: string; issues: readonly Issue[] }) =>
    `The input of the query ${quote(at.query)} will not do: ${sayIssues(at.issues)}.`,
  'query/invalid-request': (at: { query: string; problem: string }) =>
    `The query ${quote(at.query)} cannot be asked so: ${at.problem}.`,
  'query/invalid-cursor': (at: { query: string }) =>
    `The cursor given to the query ${quote(at.query)} belongs to another request, or is none. Begin again without a cursor.`,
  'query/failed': (at: { query: string }) =>
    `The query ${quote(at.query)} threw where it is defined. Its error is the cause.`,
  'query/sum-too-large': (at: { projection: string; rollup: string; sum: string }) =>
    `The sum ${quote(at.sum)} of a group of the rollup ${quote(at.rollup)} of ${quote(at.projection)} is beyond 2^53 - 1, and JSON's numbers are not exact there. It is kept exactly; sum it in a larger unit.`,
  'query/wrong-store': (at: { query: string; needs: string; store: string }) =>
    `The query ${quote(at.query)} is written for a ${at.needs} store, and its views are in ${at.store}. Run the app on the store it needs, or ask in the verbs that every store answers.`,
  'query/timeout': (at: {
    query: string
    projection: string
    position: number
    reached: number
    waitedMs: number
    failure?: string
  }) =>
    `After ${at.waitedMs} ms the view ${quote(at.projection)} is at position ${at.reached}, and the query ${quote(at.query)} waits for ${at.position}: it is ${at.position - at.reached} behind. ${
      at.failure === undefined
        ? 'Ask again, or take the stale answer (onTimeout: stale).'
        : `What holds it up: ${at.failure}.`
    }`,
  'query/parked': (at: { query: string; projection: string; position: number; parkedAt: number }) =>
    `A row of the query ${quote(at.query)} stands still in the view ${quote(at.projection)}: its event at position ${at.parkedAt} could not be folded, and the query asks for ${at.position}. Waiting does not help. Ask without a token or with onTimeout: stale for the row as it stands; an operator has to retry the key or skip the event.`,
  'query/overloaded': (at: { pending: number; limit: number }) =>
    `This process answers ${at.pending} queries at once, and takes no more than ${at.limit}. Ask again later.`,
  'query/closed': (_: Record<string, never>) =>
    'The query side is closed: this process is shutting down. Ask another one.',

  // Projections
  'project/fold-failed': (at: FoldedEvent & { error: string; source?: string }) =>
    `${sayFolded(at)}: on.${at.type} threw ${at.error}${saySource(at)}. ${sayParked}`,
  'project/key-failed': (at: FoldedEvent & { error: string; source?: string }) =>
    `${sayFolded(at)}: key.${at.type} threw ${at.error}${saySource(at)}. Without a key there is nothing to park: the projection stays before this event and tries it again; correct \`key\` and deploy it.`,
  'project/invalid-key': (at: FoldedEvent & { problem: string }) =>
    `${sayFolded(at)}: key.${at.type} gave a key that will not do: ${at.problem}. Without a key there is nothing to park: the projection stays before this event and tries it again; correct \`key\` and deploy it.`,
  'project/invalid-row': (at: FoldedEvent & { part?: 'present'; issues: readonly Issue[] }) =>
    `${sayFolded(at)}: ${at.part ?? `on.${at.type}`} gave a row that does not fit: ${sayIssues(at.issues)}. ${sayParked}`,
  'project/present-failed': (at: FoldedEvent & { part: string; error: string; source?: string }) =>
    `${sayFolded(at)}: ${at.part} threw ${at.error}${saySource(at)}. ${sayParked}`,
  'project/invalid-ref': (at: FoldedEvent & { ref: string; problem: string }) =>
    `${sayFolded(at)}: refs.${at.ref}.key gave a key that will not do: ${at.problem}. ${sayParked}`,
  'project/invalid-rollup': (at: FoldedEvent & { rollup: string; problem: string }) =>
    `${sayFolded(at)}: the rollup ${quote(at.rollup)} cannot take its row: ${at.problem}. ${sayParked}`,
  'project/append-refused': (at: { projection: string; type: string; failure: string; problem: string }) =>
    `projection(${quote(at.projection)}) is committed with the append, and cannot take an event ${at.type}: ${at.problem} (${at.failure}). The command that the event comes from is refused for it: nothing of it was written, and its id is free. Correct the definition, deploy it, and send the command again.`,
  'project/dead-letters-full': (at: { projection: string; limit: number }) =>
    `A generation of the projection ${quote(at.projection)} has as many dead letters as it may have (\`maxParkedEvents\`: ${at.limit}). It stops before the next one, drops none, and goes on when there is room: retry or skip what is parked.`,
  'project/not-parked': (at: {
    projection: string
    generation?: number
    tenant: string
    key: string
    position?: number
    standsAt?: number
  }) =>
    at.standsAt === undefined
      ? `The key is not parked in the view ${quote(at.projection)}: there is nothing to retry or to skip. It may have been retried by somebody else. The data of this error name it.`
      : `In the view ${quote(at.projection)} the key stands at position ${at.standsAt}, and not at ${at.position}: nothing is skipped. Look at it again (\`show\`). The data of this error name it.`,
  'project/not-skippable': (at: { projection: string; tenant: string; key: string; position: number }) =>
    `The row of "${at.projection}" does not stand at an event of its own, but at ${at.position}, where a row changed that it refers to. That cannot be left out of it: correct \`present\`, or let the other row be corrected, and retry.`,
  'project/invalid-reason': (at: { problem: string }) =>
    `The reason of a skip will not do: ${at.problem}. It is kept with the event, for whoever wonders later.`,
  'project/retry-pending': (at: {
    projection: string
    generations: readonly number[]
    waitedMs: number
    keys: number
  }) =>
    `After ${at.waitedMs} ms what was asked for with ${at.keys === 1 ? 'a parked key' : `${at.keys} parked keys`} of the view ${quote(at.projection)} (generation ${at.generations.join(', ')}) is not done. It stays asked for: the process that holds the shard does it as soon as it can. Look at \`status()\` whether one does, and whether the projection is paused.`,
  'project/request-pending': (at: {
    projection: string
    generation: number
    tenant: string
    key: string
    action: 'retry' | 'skip'
    position: number
    reason?: string
  }) =>
    `Of this parked key of the view ${quote(at.projection)} something else is asked for already, and not done yet: to ${at.action === 'retry' ? 'retry it' : `skip the event at position ${at.position}`}. Ask again when that is done; look at \`status()\` whether a process carries its shard on, and whether the projection is paused. The data of this error name the key.`,
  'project/batch-failed': (at: {
    projection: string
    first: number
    last: number
    events: number
    /** Of the first event. */
    type: string
    error: string
  }) =>
    `batchProjection(${quote(at.projection)}): \`handle\` threw ${at.error} on the ${at.events} events from position ${at.first} (${at.type}) to ${at.last}. Nothing of them was written; they are tried again. Its error is the cause.`,
  'project/client-returned': (at: { definition: string }) =>
    `The client that ${quote(at.definition)} was handed was used after its function had returned: the connection is somebody else's by then, and nothing was done. Await every statement before returning, and keep no client.`,
  'project/no-fold': (at: { projection: string; purpose: string }) =>
    `batchProjection(${quote(at.projection)}) cannot be ${at.purpose}: what its tables must hold follows from what its code writes, and not from a fold that can be run aside.`,
  'project/wrong-store': (at: { projection: string; needs: string; store: string }) =>
    `batchProjection(${quote(at.projection)}) is written for a ${at.needs} store, and this system's views are in ${at.store}. Run it on the store it needs, or write it as a projection, which every store keeps.`,
  'project/needs-transactions': (at: { projection: string; store: string; purpose: string }) =>
    `The rows of the projection ${quote(at.projection)} are in a store without transactions (${at.store}), which rules out ${at.purpose}. Keep them in a store that commits rows and checkpoint together.`,
  'project/rows-elsewhere': (at: { projection: string; generation: number; apart: string }) =>
    `The rows of generation ${at.generation} of the projection ${quote(at.projection)} are ${
      at.apart === '' ? 'with its checkpoints' : `in the store of rows ${quote(at.apart)}`
    }, and this process does not look for them there. Give all processes the same stores; a view moves from one to another by being built anew.`,
  'project/not-one-database': (at: { projection: string }) =>
    `projection(${quote(at.projection)}) is committed with the append, and this backend does not keep log and views in one database. Run it on one that does (\`postgres\`, \`embedded\`, \`inMemory\`), or leave out \`commit\`.`,
  'project/paused': (at: { projection: string }) =>
    `The projection ${quote(at.projection)} is paused: no process carries it on until it is resumed.`,
  'project/waits-for-view': (at: { projection: string; waitsFor: string }) =>
    `The rows of the projection ${quote(at.projection)} are made with rows of the view ${quote(at.waitsFor)}, which has not come so far: it waits for that. Look what holds ${quote(at.waitsFor)} up.`,
  'project/lease-lost': (at: {
    blockedMs: number
    leaseMs: number
    projection?: string
    shard?: number
    part?: string
  }) => {
    const cause =
      at.projection === undefined
        ? `This process was stopped, or something in it did not yield, for ${at.blockedMs} ms`
        : `\`${at.part}\` of the projection ${quote(at.projection)} (shard ${at.shard}) did not yield for ${at.blockedMs} ms`
    return `${cause}; its leases last ${at.leaseMs} ms, so that other processes may have taken its shards over. Nothing was lost or written twice. Make it faster, or \`leaseMs\` longer.`
  },
  'project/store-unreachable': (at: { projection: string; problem: string }) =>
    `The store of the view ${quote(at.projection)} cannot be reached: ${at.problem}. A projection tries it again until it can; what you have asked for yourself, ask for again.`,
  'project/store-busy': (at: { projection: string; problem: string }) =>
    `The store of the view ${quote(at.projection)} cannot do that at the moment: ${at.problem}. Nothing of what it was asked to write was written. A projection tries it again until it can; what you have asked for yourself, ask for again.`,
  'project/store-failed': (at: { projection: string; problem: string }) =>
    `The store of the view ${quote(at.projection)} failed: ${at.problem}. Nothing of what it was asked to write was written. Look at the error's cause.`,
  'project/no-generation': (at: { projection: string; version: number }) =>
    `There is no generation of the view ${quote(at.projection)} as it is defined here, in version ${at.version}: nobody has run this definition on this store, or it was dropped. A process with projections or queries makes one when it starts.`,
  'project/generation-dropped': (at: { projection: string; generation: number }) =>
    `The generation ${at.generation} of the view ${quote(at.projection)} was dropped, or never was. Nothing is read from it or written to it; \`status()\` says which there are.`,
  'project/generation-behind': (at: { projection: string; generation: number; reached: number; position: number }) =>
    `The generation ${at.generation} of the view ${quote(at.projection)} cannot serve: it has reached position ${at.reached}, and the one that serves has ${at.position}, ${at.position - at.reached} events more. Run a process of its definition until it has caught up; then swap.`,
  'project/generation-loading': (at: { projection: string; generation: number }) =>
    `The generation ${at.generation} of the view ${quote(at.projection)} cannot serve: its rows are being loaded, or its indexes made. Wait until it has caught up; then swap.`,
  'project/generation-in-use': (at: { projection: string; generation: number; problem: string }) =>
    `The generation ${at.generation} of the view ${quote(at.projection)} is not dropped: ${at.problem}. Swap to another generation, or drop what stands on it, first.`,
  'project/definition-changed': (at: { projection: string; generation: number; version: number }) =>
    `The projection ${quote(at.projection)} is not defined as it was when its generation ${at.generation} was made, and has the same version ${at.version}: rows folded before and after may not agree, and \`verify\` and \`plan\` of bifold/verify show which. Raise its \`version\`, or call \`system.rebuild\`: either builds the view anew beside the one that serves.`,
  'project/serving-unfollowed': (at: { projection: string; serving: number; generation: number }) =>
    `The generation ${at.serving} of the view ${quote(at.projection)} serves, and no process follows it any more; generation ${at.generation} is followed, and as far. Where \`rebuild.swap\` is \`auto\`, that serves after \`rebuild.returnAfterMs\`; else call \`system.swap\` with ${at.generation}, or start a process of the release whose generation serves.`,
  'project/refers-to-superseded': (at: {
    projection: string
    generation: number
    referred: string
    superseded: number
    serving: number
  }) =>
    `The rows of the view ${quote(at.projection)}, generation ${at.generation}, are made with those of generation ${at.superseded} of ${quote(at.referred)}, and generation ${at.serving} of it serves. Where \`rebuild.swap\` is \`auto\`, one that is made with these is built by itself; else call \`system.rebuild\`, and \`system.swap\` when that has caught up.`,
  'project/rebuild-running': (at: { projection: string; generation: number; followed: boolean }) =>
    at.followed
      ? `The view ${quote(at.projection)} is being built already, as generation ${at.generation}. Wait until it serves, or drop it; then rebuild.`
      : `The view ${quote(at.projection)} has a generation ${at.generation} that has never served, and no process builds it now. Start one of its definition, or give it up (\`system.drop\`); then rebuild.`,

  // Running
  'run/no-role': (at: { role: string }) =>
    `This process was started without ${at.role}. Send it to one that has that role, or turn it on in \`roles\`.`,
  'run/unknown-projection': (at: { projection: string }) =>
    `${quote(at.projection)} is no projection of this app. Pass the very one that is among its \`projections\`: not a copy, one of another version, or a name.`,
  'run/invalid-argument': (at: { operation: string; argument: string; rule: string }) =>
    `${at.operation}: ${at.argument} will not do: ${at.rule}. Nothing was done.`,
  'run/closed': (_: Record<string, never>) =>
    'The system is closed: this process is shutting down. Do it in another one.',
  'run/drain-timeout': (at: {
    position: number
    waitedMs: number
    behind: readonly { projection: string; reached: number; state: string; failure?: string }[]
  }) =>
    `After ${at.waitedMs} ms not every projection has reached position ${at.position}: ${at.behind
      .map(({ projection, reached, state, failure }) => {
        return `${quote(projection)} is at ${reached} (${failure === undefined ? state : `${state}, ${failure}`})`
      })
      .join('; ')}. Correct those that failed; give the others more time.`,

  // HTTP
  'http/unreadable-input': (at: { place: string; problem: string }) =>
    `${at.place}: its input cannot be read from a query string: ${at.problem}.`,
  'http/not-found': (_: Record<string, never>) =>
    'There is nothing at this address: a name in the path is misspelt, or the app has no such command or query. /openapi.json lists what there is.',
  'http/method-not-allowed': (at: { allow: string }) => `This address knows only ${at.allow}.`,
  'http/malformed-request': (at: { problem: string }) => `The request cannot be read: ${at.problem}.`,
  'http/invalid-json': (_: Record<string, never>) =>
    "The body is no JSON in UTF-8, or holds a key that would change an object's prototype. Nothing was carried out.",
  'http/invalid-header': (at: { header: string; rule: string }) => `The header ${at.header} will not do: ${at.rule}.`,
  'http/body-too-large': (_: Record<string, never>) =>
    'The body is larger than this server takes. Nothing was carried out; send less at once.',
  'http/url-too-long': (_: Record<string, never>) =>
    'The URL, or a part of its path, is longer than this server takes.',
  'http/unsupported-media-type': (_: Record<string, never>) =>
    "A command's input is sent as application/json. Nothing was carried out.",
  'http/headers-too-large': (_: Record<string, never>) => 'The headers are larger than this server takes.',
  'http/request-timeout': (_: Record<string, never>) =>
    'The request did not arrive whole in the time that this server waits. Nothing was carried out; send it again.',
  'http/closing': (_: Record<string, never>) =>
    'This server is shutting down. Nothing was carried out; send the request again, it will reach another one.',
  'http/internal': (_: Record<string, never>) =>
    'The server failed to answer. What went wrong is in its log. Send a command again only with the same Idempotency-Key.',

  // Verification
  'verify/too-large': (at: { projection: string; limitBytes: number }) =>
    `The view ${quote(at.projection)} is looked at a part of its keys at a time, and one part alone needs more than ${at.limitBytes} bytes of memory. Nothing is told; raise \`maxBytes\`.`,
  'verify/no-such-position': (at: { position: number; head: number }) =>
    `There is no position ${at.position} in the log: it goes from 0 to ${at.head}.`,

  // Tests of one's own
  'testing/fold-law-broken': (at: {
    projection: string
    /** With `runs: 1` it shows the same again, where what the fold depends on is the same. */
    seed: number
    tenant: string
    key: string
    /** Where it is a sum of this rollup that differs: `key` is then its group. */
    rollup?: string
    /** The row's document, or the sum, as it is when all events are folded at once, and when they are folded in parts. */
    atOnce: string | null
    inParts: string | null
  }) =>
    `projection(${quote(at.projection)}): ${at.rollup === undefined ? 'the row' : `a sum of the rollup ${quote(at.rollup)} in the group`} ${quote(at.key)} of the tenant ${quote(at.tenant)} is another one when its events are folded in parts (seed ${at.seed}). Its folds depend on more than the row and the event: look for the clock, chance, and variables outside of them. The data of this error hold both rows.`,
} as const

/** The event at which a projection stands. */
interface FoldedEvent {
  readonly projection: string
  readonly position: number
  readonly type: string
  readonly eventId: string
}

function sayFolded(at: FoldedEvent): string {
  return `projection(${quote(at.projection)}), event ${at.type} at position ${at.position} (${at.eventId})`
}

const sayParked =
  'Where a view is carried on, it is tried a few times, and then its key is parked while all others go on. Correct the definition, deploy it, and retry the key.'

function saySource({ source }: { readonly source?: string }): string {
  return source === undefined ? '' : ` at ${source}`
}

/** `lines.0.quantity: expected a number; …`, for messages. */
export function sayIssues(issues: readonly Issue[]): string {
  const said = issues.slice(0, 5).map(issue => (issue.path === '' ? issue.message : `${issue.path}: ${issue.message}`))
  const more = issues.length > 5 ? `; and ${issues.length - 5} more` : ''
  return said.join('; ') + more
}

function quote(name: string): string {
  return JSON.stringify(name)
}
