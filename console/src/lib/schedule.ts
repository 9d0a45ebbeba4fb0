/** What the operator types: kilowatts and minutes, as text until it is read. */
export interface IntervalDraft {
  id: number;
  minutes: string;
  kw: string;
}

export interface NewInterval {
  start: string;
  duration_s: number;
  p_w: number;
}

/** Intervals follow each other without a gap from `start`; null as soon as one field cannot be read. */
export function scheduleOf(start: Date, drafts: IntervalDraft[]): NewInterval[] | null {
  let at_ms = start.getTime();
  if (Number.isNaN(at_ms)) return null;
  const schedule: NewInterval[] = [];
  for (const draft of drafts) {
    const duration_s = Math.round(Number(draft.minutes) * 60);
    const p_w = Math.round(Number(draft.kw) * 1000);
    if (draft.minutes === "" || draft.kw === "" || !Number.isFinite(p_w) || !(1 <= duration_s)) return null;
    schedule.push({ start: new Date(at_ms).toISOString(), duration_s, p_w });
    at_ms += duration_s * 1000;
  }
  return schedule;
}

export const energyWh = (schedule: NewInterval[]): number =>
  schedule.reduce((sum_wh, { p_w, duration_s }) => sum_wh + (p_w * duration_s) / 3600, 0);
