// A fleet that moves: sixty DER, three groups, one dispatch in its second interval.
// Every figure is a function of the time asked for, so that two reads agree.

const MINUTE = 60_000;
const boot = Date.now();

const iso = (ms) => new Date(ms).toISOString();
const value = (v, at, quality = "valid") => ({ value: Math.round(v * 100) / 100, at: iso(at), quality });
const hex = (n, width) => n.toString(16).toUpperCase().padStart(width, "0");

const KINDS = ["pv", "storage", "ev_charger"];
const STREETS = ["Alder", "Birch", "Cedar", "Dogwood", "Elm", "Fir", "Ginkgo", "Hazel", "Ivy", "Juniper"];
const LONG = "Westfield Community Housing Association, block C, underground car park charger row 4 position 12";

function newDer(index) {
  const kind = KINDS[index % 3];
  const size_w = { pv: 8000, storage: 5000, ev_charger: 7400 }[kind];
  return {
    index,
    kind,
    mrid: `0b7c1d2e-5f00-4a6b-9c3d-${hex(index, 12).toLowerCase()}`,
    name: index === 17 ? LONG : `${STREETS[index % 10]} St ${3 + index * 2} ${kind.replace("_", " ")}`,
    lfdi: hex(0x5f3a0000 + index, 8) + "C0FFEE00DEADBEEF00112233445566AA",
    sfdi: 167_261_211_000 + index * 7,
    inject_w: kind === "ev_charger" ? 0 : size_w,
    absorb_w: kind === "pv" ? 0 : size_w,
    phase: (index * 37) % 360,
  };
}

export const fleet = Array.from({ length: 60 }, (_, index) => newDer(index));

const SILENT = new Map([
  [11, boot - 7 * MINUTE],
  [23, boot - 95_000],
]);
const NEVER = new Set([59]);
const OPTED_OUT = 29;
const STUCK = 7;
const QUESTIONABLE = 14;
const ESTIMATED = 20;

const groups = [
  {
    mrid: "5a1f5a3e-0001-4d2f-9f58-6c1d7b0f0001",
    names: ["Feeder 12 North", "F12N"],
    description: "Everything controllable north of the recloser on feeder 12.",
    functions: ["active_power", "reactive_power"],
    members: fleet.filter((der) => der.index < 40),
  },
  {
    mrid: "5a1f5a3e-0002-4d2f-9f58-6c1d7b0f0002",
    names: ["Storage, all feeders"],
    description: "",
    functions: ["active_power"],
    members: fleet.filter((der) => der.kind === "storage"),
  },
  {
    mrid: "5a1f5a3e-0003-4d2f-9f58-6c1d7b0f0003",
    names: ["Chargers that agreed to pause for up to two hours on summer evenings"],
    description: "",
    functions: ["active_power"],
    members: fleet.filter((der) => der.kind === "ev_charger" && der.index >= 40),
  },
];

const SHARES = 38;
const dispatches = [];

export function addDispatch(group, name, start, parts, extra = {}) {
  let at = start;
  const schedule = parts.map(([length, p_w]) => {
    const interval = { start: iso(at), end: iso(at + length), p_w };
    at += length;
    return interval;
  });
  const made = {
    mrid: extra.mrid ?? `d15b0000-0000-4000-8000-${hex(dispatches.length + 1, 12).toLowerCase()}`,
    name,
    group,
    schedule,
    created_ms: extra.created_ms ?? Date.now(),
    cancelled: extra.cancelled ?? false,
  };
  dispatches.unshift(made);
  return made;
}

addDispatch(groups[1], "Morning peak", boot - 300 * MINUTE, [[15 * MINUTE, 30_000], [15 * MINUTE, 24_000]], {
  created_ms: boot - 600 * MINUTE,
});
addDispatch(groups[2], "", boot - 200 * MINUTE, [[30 * MINUTE, -20_000]], {
  created_ms: boot - 230 * MINUTE,
  cancelled: true,
});
addDispatch(groups[2], "Evening charger pause", boot + 95 * MINUTE, [[60 * MINUTE, -12_000]], {
  created_ms: boot - 40 * MINUTE,
});
export const running = addDispatch(
  groups[0],
  "Feeder 12 relief",
  boot - 7 * MINUTE,
  [
    [5 * MINUTE, 40_000],
    [5 * MINUTE, 62_000],
    [5 * MINUTE, 25_000],
  ],
  { created_ms: boot - 20 * MINUTE },
);

const contactOf = (der) => (NEVER.has(der.index) ? "never_heard" : SILENT.has(der.index) ? "silent" : "reachable");

function heardAt(der, now) {
  if (NEVER.has(der.index)) return null;
  return SILENT.get(der.index) ?? now - ((der.index * 731) % 9000);
}

const isOver = (dispatch, now) => dispatch.cancelled || Date.parse(dispatch.schedule.at(-1).end) <= now;

function intervalAt(dispatch, at) {
  return dispatch.schedule.findIndex((i) => Date.parse(i.start) <= at && at < Date.parse(i.end));
}

/** First-order approach to the target after each step, with a ripple. */
function measuredAt(dispatch, at) {
  const start = Date.parse(dispatch.schedule[0].start);
  if (at < start) return 12_000 + 600 * Math.sin(at / 9000);
  let level = 12_000;
  for (const interval of dispatch.schedule) {
    const since = Math.min(at, Date.parse(interval.end)) - Date.parse(interval.start);
    if (since < 0) break;
    level = interval.p_w * 0.985 + (level - interval.p_w * 0.985) * Math.exp(-since / 12_000);
  }
  return level + 500 * Math.sin(at / 7000) + 300 * Math.sin(at / 2300);
}

function derPower(der, at) {
  const idle = { pv: 900, storage: 0, ev_charger: -1400 }[der.kind];
  const share = der.index < 40 && der.index !== STUCK ? (measuredAt(running, at) - 12_000) / SHARES : 0;
  const asked = Math.max(-der.absorb_w, Math.min(der.inject_w, idle + share));
  return asked + 60 * Math.sin(at / 4000 + der.phase);
}

export function derRow(der, now) {
  const heard = heardAt(der, now);
  const quality = der.index === QUESTIONABLE ? "questionable" : der.index === ESTIMATED ? "estimated" : "valid";
  const read = (v) => (heard === null ? null : value(v, heard, quality));
  const index = intervalAt(running, now);
  const controlled = der.index < 40 && 0 <= index && !running.cancelled && !NEVER.has(der.index);
  const interval = running.schedule[index];
  return {
    mrid: der.mrid,
    name: der.name,
    kind: der.kind,
    lfdi: der.lfdi,
    sfdi: der.sfdi,
    registration: NEVER.has(der.index) ? "authorised" : "registered",
    state: contactOf(der),
    last_contact_at: heard === null ? null : iso(heard),
    latency_s: 300,
    p_w: read(heard === null ? 0 : derPower(der, heard)),
    q_var: read(30 * Math.sin(now / 8000 + der.phase)),
    voltage_v: read(238 + 3 * Math.sin(now / 20_000 + der.phase)),
    soc_pct: der.kind === "storage" ? read(40 + (der.index % 50)) : null,
    p_available_w: read(der.kind === "pv" ? 3100 : der.inject_w),
    p_inject_max_w: heard === null ? null : der.inject_w,
    p_absorb_max_w: heard === null ? null : der.absorb_w,
    control: controlled
      ? {
          mrid: hex(0xabc000 + der.index, 24) + "0000CAFE",
          p_w: Math.round(interval.p_w / SHARES),
          start: interval.start,
          end: interval.end,
          source: "dispatch",
          dispatch: running.mrid,
        }
      : null,
    groups: groups.filter((group) => group.members.includes(der)).map((group) => group.mrid),
  };
}

export function derDetail(der, now) {
  const controls = deliveryRow(running, der, now).controls.map((control) => ({
    mrid: control.mrid,
    start: control.start,
    end: control.end,
    p_w: control.p_w,
    status: Date.parse(control.end) <= now ? "ended" : Date.parse(control.start) <= now ? "active" : "scheduled",
    origin: "dispatch",
    delivery_state: control.state,
    entries: control.entries,
  }));
  const rating = { p_inject_max_w: der.inject_w, p_absorb_max_w: der.absorb_w, s_max_va: 8300, modes: ["opModFixedW", "opModMaxLimW", "opModConnect"] };
  return {
    ...derRow(der, now),
    pin: 111_115,
    capability: NEVER.has(der.index) ? null : rating,
    settings: NEVER.has(der.index) ? null : { ...rating, ramp_w_per_s: 250, updated_at: iso(boot - 3_600_000) },
    controls: der.index < 40 ? controls : [],
  };
}

export function logEvents(der, now) {
  if (NEVER.has(der.index)) return [];
  const event = (id, code, code_name, age_ms) => ({
    id,
    at: iso(now - age_ms),
    function_set: 11,
    function_set_name: "Distributed Energy Resources",
    code,
    code_name,
    log_event_id: id,
    profile_id: 2,
    pen: 40_732,
    details: null,
    extended_data: null,
  });
  return [
    event(1, 3, "DER_FAULT_OVER_VOLTAGE_RTN", 3_000_000),
    event(0, 2, "DER_FAULT_OVER_VOLTAGE", 3_600_000),
  ];
}

export function groupRow(group, now) {
  const rows = group.members.map((der) => derRow(der, now));
  const sum = (pick) => rows.reduce((total, row) => total + (pick(row) ?? 0), 0);
  const p_w = group === groups[0] ? measuredAt(running, now) : sum((row) => row.p_w?.value);
  const reachable = rows.filter((row) => row.state === "reachable");
  const room = (pick) => reachable.reduce((total, row) => total + Math.max(0, pick(row)), 0);
  return {
    mrid: group.mrid,
    title: group.names[0],
    names: group.names.map((name) => ({ name, name_type: null, authority: null })),
    description: group.description,
    functions: group.functions,
    members_count: rows.length,
    version: "1.0",
    version_at: iso(boot - 7_200_000),
    status: {
      p_w: value(p_w, now - 2000, group === groups[0] ? "estimated" : "valid"),
      q_var: value(sum((row) => row.q_var?.value), now - 2000),
      up_w: room((row) => row.p_available_w.value - row.p_w.value),
      down_w: room((row) => row.p_w.value + row.p_absorb_max_w),
      reachable: reachable.length,
      silent: rows.filter((row) => row.state === "silent").length,
      opted_out: group.members.some((der) => der.index === OPTED_OUT) ? 1 : 0,
      at: iso(now),
    },
  };
}

export const groupDetail = (group, now) => ({ ...groupRow(group, now), members: group.members.map((der) => der.mrid) });

function verdictOf(dispatch, der, now) {
  if (dispatch === running && der.index === OPTED_OUT) return "opted_out";
  if (dispatch === running && SILENT.has(der.index)) return "silent";
  const index = intervalAt(dispatch, now);
  if (der.index === STUCK && Date.parse(dispatch.schedule[0].end) <= now) return "acknowledged_not_delivered";
  if (isOver(dispatch, now)) return der.index % 19 === 5 ? "partly_delivered" : "delivered";
  return 0 < index && der.index % 5 ? "delivered" : "pending";
}

function entriesOf(der, control, dispatch, now) {
  const start = Date.parse(control.start);
  const all = [
    ["planned", dispatch.created_ms, "plan generation 1"],
    ["sent", dispatch.created_ms + 4000, "fetched by the device"],
    ["received", dispatch.created_ms + 4200, "Response 1 (event received)"],
    ["started", start + 900, "Response 2 (event started)"],
    ["following", start + 15_000, "meter within 5 % of the set-point"],
    ["completed", Date.parse(control.end) + 600, "Response 3 (event completed)"],
  ];
  const reached = all.filter(([state, at]) => at <= now && !(der.index === STUCK && state === "following"));
  if (der.index === OPTED_OUT) reached.splice(3, 9, ["overridden", start - 60_000, "Response 4 (user opted out)"]);
  if (SILENT.has(der.index)) reached.splice(3, 9, ["silent", SILENT.get(der.index) + 60_000, "nothing heard for 60 s"]);
  return reached.filter(([, at]) => at <= now).map(([state, at, evidence]) => ({ state, at: iso(at), evidence }));
}

export function deliveryRow(dispatch, der, now) {
  const count = dispatch.group.members.length;
  const controls = dispatch.schedule.map((interval, index) => {
    const control = {
      mrid: hex(0xabc000 + der.index + index * 4096, 24) + "0000CAFE",
      interval: index,
      generation: 1,
      start: interval.start,
      end: interval.end,
      p_w: Math.round(interval.p_w / count),
      told_late_s: null,
    };
    const entries = entriesOf(der, control, dispatch, now);
    return { ...control, state: entries.at(-1)?.state ?? "planned", entries };
  });
  const index = intervalAt(dispatch, now);
  const elapsed_wh = dispatch.schedule.reduce((sum, interval, i) => {
    const until = Math.min(now, Date.parse(interval.end)) - Date.parse(interval.start);
    return sum + (Math.max(0, until) / 3_600_000) * controls[i].p_w;
  }, 0);
  const verdict = verdictOf(dispatch, der, now);
  const short = verdict === "acknowledged_not_delivered" || verdict === "opted_out" ? 0 : verdict === "silent" ? 0.4 : 0.99;
  return {
    der: { mrid: der.mrid, name: der.name, kind: der.kind },
    state: controls[Math.max(0, index)].state,
    verdict,
    evidence: verdict === "opted_out" ? "response" : verdict === "silent" || verdict === "pending" ? "nothing" : "device_telemetry",
    response_code: verdict === "opted_out" ? 4 : null,
    tolerance_pct: 5,
    baseline: { kind: "readings_before", p_w: 0, uncertainty_w: 12, readings: 60 },
    standing: verdict === "opted_out" ? "opted_out" : verdict === "silent" ? "silent" : verdict === "acknowledged_not_delivered" ? "not_following" : "controllable",
    late_by_s: null,
    told_late: verdict === "silent",
    asked_w: index < 0 ? null : controls[index].p_w,
    measured_w: derRow(der, now).p_w,
    asked_wh: elapsed_wh,
    delivered_wh: elapsed_wh * short,
    curtailed_wh: 0,
    curtailed_uncertainty_wh: 0,
    last_contact_at: derRow(der, now).last_contact_at,
    controls,
  };
}

const total = (rows, pick) => rows.reduce((sum, row) => sum + pick(row), 0);

const tally = (rows, pick) => rows.reduce((counts, row) => ({ ...counts, [pick(row)]: (counts[pick(row)] ?? 0) + 1 }), {});

export function dispatchRow(dispatch, now) {
  const index = dispatch.cancelled ? -1 : intervalAt(dispatch, now);
  const begun = Date.parse(dispatch.schedule[0].start) <= now;
  const rows = dispatch.group.members.map((der) => deliveryRow(dispatch, der, now));
  const target_w = index < 0 ? null : dispatch.schedule[index].p_w;
  return {
    mrid: dispatch.mrid,
    name: dispatch.name,
    group: { mrid: dispatch.group.mrid, title: dispatch.group.names[0] },
    phase: dispatch.cancelled ? "cancelled" : isOver(dispatch, now) ? "ended" : begun ? "running" : "scheduled",
    interval_index: index < 0 ? null : index,
    schedule: dispatch.schedule,
    ramp_s: 10,
    created_at: iso(dispatch.created_ms),
    cancelled_at: dispatch.cancelled ? iso(boot - 60_000) : null,
    generation: 2,
    late: rows.slice(0, 1).map(({ der }) => ({ mrid: der.mrid, name: der.name, by_s: 270 })),
    late_members: rows.length === 0 ? 0 : 1,
    told_late: rows.filter((row) => row.told_late).length,
    residue_w: dispatch.schedule.map((_, i) => (i === 2 ? 0.5 : 0)),
    target_w,
    measured_w: index < 0 ? null : value(measuredAt(dispatch, now), now, "valid"),
    promised_w: (target_w ?? 0) * 0.972,
    counts: tally(rows, (row) => row.state),
    verdicts: tally(rows, (row) => row.verdict),
    asked_wh: total(rows, (row) => row.asked_wh),
    delivered_wh: total(rows, (row) => row.delivered_wh),
    curtailed_wh: 0,
    curtailed_uncertainty_wh: 0,
  };
}

export function series(dispatch, now) {
  const start = Date.parse(dispatch.schedule[0].start);
  const until = Math.min(now, Date.parse(dispatch.schedule.at(-1).end));
  const points = [];
  for (let at = start - 30_000; at <= until; at += 2000) {
    const index = intervalAt(dispatch, at);
    points.push({
      at: iso(at),
      target_w: index < 0 ? null : dispatch.schedule[index].p_w,
      measured_w: measuredAt(dispatch, at),
      silent_w: 5 * MINUTE < at - start ? 2100 : 0,
    });
  }
  const intervals = dispatch.schedule.map((interval) => {
    const from = Date.parse(interval.start);
    const end = Math.min(now, Date.parse(interval.end));
    const asked_wh = (interval.p_w * (Date.parse(interval.end) - from)) / 3_600_000;
    if (end <= from) return { ...interval, asked_wh, delivered_wh: null, error_pct: null };
    let delivered_wh = 0;
    for (let at = from; at < end; at += 1000) delivered_wh += measuredAt(dispatch, at) / 3600;
    const whole = end === Date.parse(interval.end);
    return { ...interval, asked_wh, delivered_wh, error_pct: whole ? (100 * (delivered_wh - asked_wh)) / asked_wh : null };
  });
  return { tolerance_pct: 5, points, intervals: intervals.filter((interval) => interval.delivered_wh !== null) };
}

export function telemetry(der, from, to) {
  const points = [];
  for (let at = from; at <= to; at += 10_000) points.push({ at: iso(at), value: derPower(der, at), quality: "valid" });
  return { points };
}

export function summary(now) {
  const rows = dispatches.map((dispatch) => dispatchRow(dispatch, now));
  const contacts = tally(fleet, contactOf);
  return {
    at: iso(now),
    ders: { total: fleet.length, reachable: contacts.reachable, silent: contacts.silent, never_heard: contacts.never_heard },
    groups: groups.map((group) => groupRow(group, now)),
    running: rows.filter((row) => row.phase === "running" || row.phase === "waiting"),
    coming: rows.filter((row) => row.phase === "scheduled"),
    lost: fleet.filter((der) => contactOf(der) === "silent").map((der) => derRow(der, now)),
    feeder_limits: [{ name: "feeder 12", max_export_w: 120_000, max_import_w: 150_000 }],
  };
}

export const findDer = (mrid) => fleet.find((der) => der.mrid === mrid);
export const findGroup = (mrid) => groups.find((group) => group.mrid === mrid);
export const findDispatch = (mrid) => dispatches.find((dispatch) => dispatch.mrid === mrid);
export const allGroups = () => groups;
export const allDispatches = () => dispatches;
