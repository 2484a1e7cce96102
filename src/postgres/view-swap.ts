import {
  type ActivateOptions,
  type Activation,
  apartOf,
  type Generation,
  type ShardCheckpoint,
  type ShardLoad,
} from '../project/index.ts'
import type { Database, Statement } from './client.ts'
import { againAfterDeadlock } from './deadlock.ts'

export const generationsStatement: Statement = {
  name: 'bifold_view_generations',
  text: `
select g.generation, g.version, g.shards, g.columns, g.definition, g.row_shape as "rowShape", g.served,
       g.set_aside as "setAside", g.sums, g.stages,
       coalesce(a.generation = g.generation, false) as active,
       exists (select from bifold_views._members m, json_array_elements(m.views) as knows(view)
                where m.alive_until > clock_timestamp() and knows.view->>0 = g.projection
                  and (knows.view->>1)::integer = g.generation) as followed,
       exists (select from bifold_views._dependents d
                where d.referred = g.projection and d.referred_generation = g.generation) as "referredTo",
       (select coalesce(json_agg(json_build_object(
                 'projection', d.referred, 'generation', d.referred_generation) order by d.referred), '[]')
          from bifold_views._dependents d
         where d.projection = g.projection and d.generation = g.generation) as "refersTo",
       (select count(*)::integer from bifold_views._parked p
         where p.projection = g.projection and p.generation = g.generation) as parked,
       (select json_agg(json_strip_nulls(json_build_object(
                 'shard', c.shard, 'epoch', c.epoch, 'position', c.position, 'fingerprint', c.fingerprint,
                 'failure', h.failure)) order by c.shard)
          from bifold_views._checkpoints_of(g.projection, g.generation) c
          left join bifold_views._leases h on h.projection = c.projection and h.generation = c.generation
                and h.shard = c.shard and h.lease_until > clock_timestamp()) as checkpoints,
       (select coalesce(json_agg(json_build_object(
                 'shard', l.shard, 'position', l.position, 'goal', l.goal, 'perSecond', l.per_second) order by l.shard), '[]')
          from bifold_views._loads l
         where l.projection = g.projection and l.generation = g.generation and l.goal > 0 and not l.done) as loads
  from bifold_views._generations g
  left join bifold_views._active a on a.projection = g.projection
 where g.projection = $1 and not g.dropped
 order by g.generation`,
}

interface GenerationRow extends Omit<Generation, 'columns' | 'checkpoints' | 'loads' | 'refersTo' | 'sums'> {
  readonly columns: string
  readonly loads: string
  readonly checkpoints: string
  readonly refersTo: string
  readonly sums: string
  readonly stages: string
}

/** The generations of a projection, as one snapshot has them. */
export async function readGenerations({ sql }: Database, projection: string): Promise<readonly Generation[]> {
  const rows = await sql.query<GenerationRow>(generationsStatement, [projection])
  return rows.map(({ stages, ...row }) => ({
    ...row,
    ...(apartOf(stages) !== undefined && { apart: apartOf(stages) as string }),
    columns: JSON.parse(row.columns) as Generation['columns'],
    checkpoints: JSON.parse(row.checkpoints) as readonly ShardCheckpoint[],
    loads: JSON.parse(row.loads) as readonly ShardLoad[],
    sums: JSON.parse(row.sums) as Generation['sums'],
    refersTo: JSON.parse(row.refersTo) as Generation['refersTo'],
  }))
}

/** A generation whose indexes are to be made yet answers every list by a walk through all rows. */
const activateStatement: Statement = {
  name: 'bifold_view_activate',
  text: `
with loading as (select from bifold_views._loads where projection = $1 and generation = $2)
select 'loading' as outcome, 0::bigint as goal, 0::bigint as reached where exists (select from loading)
 union all
select outcome, goal, reached from bifold_views._activate($1, $2, $3, $4, $5, $6) where not exists (select from loading)`,
}

/** How long the generation that serves may be held where it is, for the other one to reach it. */
const waitMs = 300
/** How many events the other one may be behind for that. */
const nearEvents = 1000

/** The swap. The embedded database has one connection: nobody else could go on while it waits. */
export async function activateGeneration(
  { sql, kind }: Database,
  projection: string,
  generation: number,
  { withParked = true, byHand = true }: ActivateOptions,
): Promise<Activation> {
  const values = [projection, generation, kind === 'postgres' ? waitMs : 0, nearEvents, withParked, byHand]
  const [answer] = await againAfterDeadlock(() =>
    sql.query<{ outcome: Activation['kind']; goal: number; reached: number }>(activateStatement, values),
  )
  if (answer === undefined) return { kind: 'unknown' }
  const { outcome, goal, reached } = answer
  return outcome === 'behind' ? { kind: outcome, position: goal, reached } : { kind: outcome }
}
