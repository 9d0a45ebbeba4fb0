import { get } from "./client";
import { onDispatch } from "./live.svelte";
import { Loaded, throttled } from "./load.svelte";
import type { DispatchRow, Series } from "./model";
import { extended, traceOf, type Trace } from "./trace";

/** The stream carries each new point; the full series is read again this often to close gaps. */
const REREAD_MS = 5000;

/** Target and measured power of one dispatch, growing as the stream speaks. Use inside a component. */
export class DispatchSeries {
  series: Loaded<Series>;
  trace: Trace | null = $state.raw(null);

  constructor(mrid: string, onRow: (row: DispatchRow) => void = () => {}) {
    this.series = new Loaded(() => get("/api/v1/dispatches/{mrid}/series", { path: { mrid } }));
    const reread = throttled(() => void this.series.reload(), () => REREAD_MS);

    $effect(() => {
      const value = this.series.value;
      if (value !== null) this.trace = traceOf(value);
    });

    $effect(() => {
      reread.run();
      const stop = onDispatch((row) => {
        if (row.mrid !== mrid) return;
        onRow(row);
        const known = this.series.value;
        if (this.trace !== null && known !== null) this.trace = extended(this.trace, row, known.tolerance_pct);
        reread.run();
      });
      return () => {
        stop();
        reread.stop();
      };
    });
  }
}

/** The instants at which a chart of the schedule draws its upright lines. */
export function bounds(row: DispatchRow): string[] {
  return [...new Set(row.schedule.flatMap(({ start, end }) => [start, end]))];
}
