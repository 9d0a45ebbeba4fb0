import { expect, test } from "@playwright/test";
import { age, decimal, figure, span, text, unitOf } from "../src/lib/format";
import { energyWh, scheduleOf } from "../src/lib/schedule";
import { between, deviationPct, extended, traceOf, withComing } from "../src/lib/trace";
import type { DispatchRow } from "../src/lib/model";

test("power keeps one prefix over the range of a column", () => {
  expect(figure(12_345, "w")).toEqual({ text: "12.35", unit: "kW" });
  expect(figure(-40, "w")).toEqual({ text: "−0.04", unit: "kW" });
  expect(figure(999_990, "w")).toEqual({ text: "999.99", unit: "kW" });
  expect(figure(2_500_000, "w")).toEqual({ text: "2\u202f500.0", unit: "kW" });
  expect(figure(25_000_000, "w")).toEqual({ text: "25.00", unit: "MW" });
  expect(figure(null, "w")).toEqual({ text: "–", unit: "" });
  expect(text(833, "wh")).toBe("0.833 kWh");
});

test("a value that rounds to zero has no sign", () => {
  expect(decimal(-0.001, 2)).toBe("0.00");
  expect(decimal(-1234567.5, 1)).toBe("−1\u202f234\u202f567.5");
});

test("spans and ages", () => {
  expect(span(59.9)).toBe("59 s");
  expect(span(245)).toBe("4 min 05 s");
  expect(span(12_000)).toBe("3 h 20 min");
  expect(age(119)).toBe("119 s");
  expect(age(121)).toBe("2 min");
  expect(age(200_000)).toBe("2 d");
});

test("the unit of a field is its last suffix", () => {
  expect(unitOf("p_inject_max_w")).toBe("w");
  expect(unitOf("energy_max_wh")).toBe("wh");
  expect(unitOf("ramp_w_per_s")).toBeNull();
  expect(unitOf("modes")).toBeNull();
});

test("a schedule has no gaps and is exact in watts", () => {
  const start = new Date("2026-11-22T05:00:00Z");
  const schedule = scheduleOf(start, [
    { id: 0, minutes: "0.5", kw: "12.3456" },
    { id: 1, minutes: "15", kw: "-8" },
  ]);
  expect(schedule).toEqual([
    { start: "2026-11-22T05:00:00.000Z", duration_s: 30, p_w: 12_346 },
    { start: "2026-11-22T05:00:30.000Z", duration_s: 900, p_w: -8000 },
  ]);
  expect(energyWh(schedule ?? [])).toBeCloseTo(12_346 / 120 - 2000, 6);
  expect(scheduleOf(start, [{ id: 0, minutes: "", kw: "1" }])).toBeNull();
  expect(scheduleOf(start, [{ id: 0, minutes: "1", kw: "" }])).toBeNull();
  expect(scheduleOf(new Date("nonsense"), [{ id: 0, minutes: "1", kw: "1" }])).toBeNull();
});

const series = {
  tolerance_pct: 5,
  points: [{ at: "2026-11-22T05:00:00Z", target_w: -1000, measured_w: -900, silent_w: 0 }],
  intervals: [],
};
const row = (at: string): DispatchRow =>
  ({ target_w: 2000, measured_w: { value: 1950, at, quality: "valid" } }) as unknown as DispatchRow;

test("the band lies around the target, also below zero", () => {
  const trace = traceOf(series);
  expect(trace.low_w).toEqual([-1050]);
  expect(trace.high_w).toEqual([-950]);
});

test("the stream adds only what is newer", () => {
  const trace = traceOf(series);
  expect(extended(trace, row("2026-11-22T05:00:00Z"), 5)).toBe(trace);
  const longer = extended(trace, row("2026-11-22T05:00:01Z"), 5);
  expect(longer.measured_w).toEqual([-900, 1950]);
  expect(longer.high_w).toEqual([-950, 2100]);
  expect(trace.measured_w).toEqual([-900]);
});

test("the schedule goes on after the last point without a measurement", () => {
  const schedule = [{ start: "2026-11-22T04:59:00Z", end: "2026-11-22T05:01:00Z", p_w: -1000 }];
  const trace = withComing(traceOf(series), schedule, 5);
  expect(trace.target_w).toEqual([-1000, -1000]);
  expect(trace.measured_w).toEqual([-900, null]);
});

test("a chart takes from a trace only what lies between two instants", () => {
  const trace = extended(traceOf(series), row("2026-11-22T05:00:10Z"), 5);
  const start_s = Date.parse("2026-11-22T05:00:00Z") / 1000;
  expect(between(trace, start_s, start_s + 10).measured_w).toEqual([-900, 1950]);
  expect(between(trace, start_s + 1, start_s + 10).measured_w).toEqual([1950]);
  expect(between(trace, start_s + 11, start_s + 20).measured_w).toEqual([]);
});

test("deviation is relative to the size of the target", () => {
  expect(deviationPct(-1000, -950)).toBeCloseTo(5);
  expect(deviationPct(1000, 950)).toBeCloseTo(-5);
  expect(deviationPct(0, 10)).toBeNull();
  expect(deviationPct(1000, null)).toBeNull();
});
