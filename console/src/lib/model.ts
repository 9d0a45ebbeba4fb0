import type { components, paths } from "./api";

type Schemas = components["schemas"];
type Answers = {
  [P in keyof paths]: paths[P] extends { get: { responses: { 200: { content: { "application/json": infer A } } } } }
    ? A
    : never;
};

export type Summary = Schemas["Summary"];
export type GroupRow = Schemas["GroupRow"];
export type GroupDetail = Schemas["GroupDetail"];
export type DerRow = Schemas["DerRow"];
export type DerDetail = Schemas["DerDetail"];
export type DispatchRow = Schemas["DispatchRow"];
export type DeliveryRow = Schemas["DeliveryRow"];
export type LedgerEntry = Schemas["LedgerEntry"];
export type LogEvent = Schemas["LogEventView"];
export type Series = Schemas["Series"];
export type Value = Schemas["MeasuredValue"];

export type Phase = DispatchRow["phase"];
export type Verdict = NonNullable<DeliveryRow["verdict"]>;
export type Contact = DerRow["state"];
export type DerPage = Answers["/api/v1/ders"];
export type Quality = Value["quality"];

/** Shape and colour of a mark. Only `warn` and `bad` carry colour: they are the abnormal. */
export type Tone = "ok" | "quiet" | "busy" | "warn" | "bad";

const VERDICT_TONE: Record<Verdict, Tone> = {
  pending: "busy",
  delivered: "ok",
  partly_delivered: "warn",
  acknowledged_not_delivered: "bad",
  not_delivered: "bad",
  suspect: "bad",
  complied_binding: "ok",
  complied_non_binding: "ok",
  opted_out: "quiet",
  rejected: "bad",
  silent: "bad",
  never_reachable: "bad",
  islanded: "quiet",
  evidence_retired: "quiet",
};

const PHASE_TONE: Record<Phase, Tone> = {
  scheduled: "quiet",
  running: "busy",
  waiting: "warn",
  ended: "ok",
  cancelled: "quiet",
};

const CONTACT_TONE: Record<Contact, Tone> = {
  reachable: "ok",
  silent: "bad",
  never_heard: "warn",
};

export const verdictTone = (verdict: string | null | undefined): Tone => VERDICT_TONE[verdict as Verdict] ?? "quiet";
export const phaseTone = (phase: string): Tone => PHASE_TONE[phase as Phase] ?? "quiet";
export const derTone = (state: string): Tone => CONTACT_TONE[state as Contact] ?? "quiet";

/**
 * Delivery states that an operator must look at; every other state is quiet. `overridden` is quiet
 * too: an owner may opt out, and a newer plan overrides the controls of the one before.
 */
export function deliveryTone(state: string | null | undefined): Tone {
  if (!state) return "quiet";
  if (/reject|silent|fail|not_delivered/.test(state)) return "bad";
  if (/completed|following/.test(state)) return "ok";
  if (/sent|received|started/.test(state)) return "busy";
  return "quiet";
}

const SPECIAL = new Map([
  ["ev_charger", "EV charger"],
  ["pv", "PV"],
  ["der", "DER"],
]);

/** `not_delivered` → `not delivered`: the API's word stays the word on the screen. */
export function words(term: string | null | undefined): string {
  if (!term) return "none";
  return SPECIAL.get(term) ?? term.replaceAll("_", " ");
}

export const isOver = (phase: Phase): boolean => phase === "ended" || phase === "cancelled";
