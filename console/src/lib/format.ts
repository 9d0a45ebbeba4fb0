/** U+2212 and U+202F: figures of equal width, and groups of three that do not break. */
const MINUS = "−";
const THIN_SPACE = "\u202f";

export interface Figure {
  text: string;
  unit: string;
}

export const NONE = "–";

export function decimal(value: number, digits: number): string {
  const rounded = Number(value.toFixed(digits));
  const [whole = "0", fraction] = Math.abs(rounded).toFixed(digits).split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, THIN_SPACE);
  const sign = rounded < 0 ? MINUS : "";
  return sign + grouped + (fraction === undefined ? "" : `.${fraction}`);
}

/** One rule for W, var, VA and Wh: kilo up to 10 M, mega above, so that columns share a prefix. */
function prefixed(value: number, base: string, kiloDigits: number): Figure {
  const size = Math.abs(value);
  if (size >= 1e10) return { text: decimal(value / 1e9, 2), unit: `G${base}` };
  if (size >= 1e7) return { text: decimal(value / 1e6, 2), unit: `M${base}` };
  if (size >= 1e6) return { text: decimal(value / 1e3, 1), unit: `k${base}` };
  return { text: decimal(value / 1e3, kiloDigits), unit: `k${base}` };
}

type Unit = "w" | "var" | "va" | "wh" | "v" | "pct" | "hz";

const FIGURES: Record<Unit, (value: number) => Figure> = {
  w: (value) => prefixed(value, "W", 2),
  var: (value) => prefixed(value, "var", 2),
  va: (value) => prefixed(value, "VA", 2),
  wh: (value) => prefixed(value, "Wh", 3),
  v: (value) => ({ text: decimal(value, 1), unit: "V" }),
  pct: (value) => ({ text: decimal(value, 1), unit: "%" }),
  hz: (value) => ({ text: decimal(value, 3), unit: "Hz" }),
};

export type { Unit };

export function figure(value: number | null | undefined, unit: Unit): Figure {
  if (value === null || value === undefined || !Number.isFinite(value)) return { text: NONE, unit: "" };
  return FIGURES[unit](value);
}

export function text(value: number | null | undefined, unit: Unit): string {
  const made = figure(value, unit);
  return made.unit === "" ? made.text : `${made.text} ${made.unit}`;
}

/** The unit an API field name ends in, if it is one the console can draw; a rate is not. */
export function unitOf(field: string): Unit | null {
  if (field.includes("_per_")) return null;
  const suffix = field.slice(field.lastIndexOf("_") + 1);
  return suffix in FIGURES && field.includes("_") ? (suffix as Unit) : null;
}

/** A span in its two largest units: `8 s`, `4 min 05 s`, `3 h 20 min`, `2 d 4 h`. */
export function span(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${pad(Math.floor((whole % 3600) / 60))} min`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3600)} h`;
}

/** An age in one unit, for the small print beside a value. */
export function age(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 120) return `${whole} s`;
  if (whole < 7200) return `${Math.floor(whole / 60)} min`;
  if (whole < 172_800) return `${Math.floor(whole / 3600)} h`;
  return `${Math.floor(whole / 86_400)} d`;
}

const pad = (part: number): string => String(part).padStart(2, "0");

export const timeOfDay = (at: Date): string =>
  `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`;

export const localDate = (at: Date): string =>
  `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}`;

/** The value of a `datetime-local` input, which speaks the operator's zone. */
export const localInput = (at: Date): string => `${localDate(at)}T${timeOfDay(at)}`;

export const seconds = (from: string, to: string): number => (Date.parse(to) - Date.parse(from)) / 1000;
