import { aggregate, app, events, projection, query, type System } from 'bifold'
import { z } from 'zod'

const SeatEvents = events('seat', { SeatTaken: z.object({ guest: z.string() }), SeatLeft: z.object({}) })

const Seat = aggregate(SeatEvents, {
  initial: (): { taken: boolean } => ({ taken: false }),
  evolve: { SeatTaken: () => ({ taken: true }), SeatLeft: () => ({ taken: false }) },
  commands: {
    TakeSeat: {
      input: z.object({ guest: z.string() }),
      decide: (seat, input) => (seat.taken ? [] : [SeatEvents.SeatTaken(input)]),
    },
  },
})

const Seats = projection('seats', {
  from: [SeatEvents],
  commit: 'with-append',
  state: z.object({ guest: z.string(), since: z.iso.datetime() }),
  on: {
    SeatTaken: (_, { data, recordedAt }) => ({ guest: data.guest, since: recordedAt }),
    SeatLeft: () => null,
  },
})

const seat = query('seat', { from: Seats, input: z.object({ seatId: z.string() }), get: ({ seatId }) => seatId })

export const theatre = app('theatre', { aggregates: [Seat], projections: [Seats], queries: [seat] })

export async function takeAndShow(system: System, seatId: string, guest: string) {
  await system.dispatch(Seat, seatId, 'TakeSeat', { guest })
  // No token: the row was committed with the event.
  return (await system.query(seat, { seatId })).value
}
