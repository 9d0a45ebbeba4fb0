import type { DispatchRow, Series } from "./model";

/** Columns for the chart, all of one length; `at_s` is in seconds since the epoch. */
export interface Trace {
  at_s: number[];
  target_w: (number | null)[];
  low_w: (number | null)[];
  high_w: (number | null)[];
  measured_w: (number | null)[];
  silent_w: (number | null)[];
}

/** Sixteen hours at one point a second; older points give way. */
const MAX_POINTS = 57_600;

export function traceOf(series: Series): Trace {
  const trace: Trace = { at_s: [], target_w: [], low_w: [], high_w: [], measured_w: [], silent_w: [] };
  for (const point of series.points) {
    push(trace, Date.parse(point.at) / 1000, {
      target_w: point.target_w ?? null,
      measured_w: point.measured_w ?? null,
      silent_w: point.silent_w ?? null,
      tolerance_pct: series.tolerance_pct,
    });
  }
  return trace;
}

interface Point {
  target_w: number | null;
  measured_w: number | null;
  silent_w: number | null;
  tolerance_pct: number;
}

function push(trace: Trace, at_s: number, point: Point): void {
  const margin_w = (Math.abs(point.target_w ?? 0) * point.tolerance_pct) / 100;
  trace.at_s.push(at_s);
  trace.target_w.push(point.target_w);
  trace.low_w.push(point.target_w === null ? null : point.target_w - margin_w);
  trace.high_w.push(point.target_w === null ? null : point.target_w + margin_w);
  trace.measured_w.push(point.measured_w);
  trace.silent_w.push(point.silent_w);
}

const newest = (trace: Trace, count: number): Trace => ({
  at_s: trace.at_s.slice(-count),
  target_w: trace.target_w.slice(-count),
  low_w: trace.low_w.slice(-count),
  high_w: trace.high_w.slice(-count),
  measured_w: trace.measured_w.slice(-count),
  silent_w: trace.silent_w.slice(-count),
});

/** Adds what the stream just said about a dispatch, if it is newer than all that is known. */
export function extended(trace: Trace, row: DispatchRow, tolerance_pct: number): Trace {
  const measured = row.measured_w;
  if (!measured) return trace;
  const at_s = Date.parse(measured.at) / 1000;
  if (at_s <= (trace.at_s.at(-1) ?? -Infinity)) return trace;
  const next = newest(trace, MAX_POINTS - 1);
  push(next, at_s, {
    target_w: row.target_w ?? null,
    measured_w: measured.value,
    silent_w: trace.silent_w.at(-1) ?? null,
    tolerance_pct,
  });
  return next;
}

/** What a trace needs of an interval of a schedule. */
type Coming = Pick<DispatchRow["schedule"][number], "start" | "end" | "p_w">;

/** The schedule after the last known point, so that the operator sees where the target goes next. */
export function withComing(trace: Trace, schedule: Coming[], tolerance_pct: number): Trace {
  const known_s = trace.at_s.at(-1) ?? -Infinity;
  const next = newest(trace, MAX_POINTS);
  const point = (at_s: number, target_w: number | null): void => {
    if (known_s < at_s) push(next, at_s, { target_w, measured_w: null, silent_w: null, tolerance_pct });
  };
  for (const { start, end, p_w } of schedule) {
    point(Date.parse(start) / 1000, p_w);
    point(Date.parse(end) / 1000 - 0.001, p_w);
  }
  return next;
}

/** The part of a trace that lies between two instants. */
export function between(trace: Trace, from_s: number, to_s: number): Trace {
  const first = trace.at_s.findIndex((at_s) => from_s <= at_s);
  const end = trace.at_s.findLastIndex((at_s) => at_s <= to_s) + 1;
  const cut = <T>(column: T[]): T[] => (first < 0 ? [] : column.slice(first, end));
  return {
    at_s: cut(trace.at_s),
    target_w: cut(trace.target_w),
    low_w: cut(trace.low_w),
    high_w: cut(trace.high_w),
    measured_w: cut(trace.measured_w),
    silent_w: cut(trace.silent_w),
  };
}

/** Deviation of measured from target in per cent of the target; nothing where the target is zero. */
export function deviationPct(target_w: number | null | undefined, measured_w: number | null | undefined): number | null {
  if (target_w === null || target_w === undefined || target_w === 0) return null;
  if (measured_w === null || measured_w === undefined) return null;
  return ((measured_w - target_w) / Math.abs(target_w)) * 100;
}
