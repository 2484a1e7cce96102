import { aggregate, events, reject } from 'bifold'
import { z } from 'zod'

const MeterEvents = events('meter', { MeterRead: z.object({ kwh: z.int() }) })

export const Meter = aggregate(MeterEvents, {
  initial: (): { kwh: number; readings: number } => ({ kwh: 0, readings: 0 }),
  evolve: {
    MeterRead: (meter, { data }) => ({ kwh: data.kwh, readings: meter.readings + 1 }),
  },
  commands: {
    ReadMeter: {
      input: z.object({ kwh: z.int() }),
      decide: (meter, { kwh }) =>
        kwh < meter.kwh ? reject('runs-backwards', `It stood at ${meter.kwh}`) : [MeterEvents.MeterRead({ kwh })],
    },
  },
  // With every 500 events a state is kept. Version 2: those of version 1 did not count `readings`.
  snapshot: { every: 500, version: 2 },
})
