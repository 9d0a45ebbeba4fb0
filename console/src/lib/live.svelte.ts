import { get } from "./client";
import type { DispatchRow, Summary } from "./model";

/** The server pings every 10 s; two missed pings and a margin mean the stream is dead. */
const SILENCE_LIMIT_MS = 25_000;
const RETRY_MS = 2000;

type Link = "connecting" | "live" | "lost";

interface Live {
  link: Link;
  /** When something last came through the stream, by the browser's clock. */
  heard_at: number;
  summary: Summary | null;
  /** Counts reconnections, so that pages read again what they missed. */
  epoch: number;
}

export const live = $state<Live>({ link: "connecting", heard_at: Date.now(), summary: null, epoch: 0 });

type Listener = (row: DispatchRow) => void;
const listeners = new Set<Listener>();

/** Calls `listener` for every change of a dispatch; returns the way to stop. */
export function onDispatch(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

let source: EventSource | null = null;
let retry: ReturnType<typeof setTimeout> | undefined;
let watchdog: ReturnType<typeof setInterval> | undefined;

export function startLive(): void {
  stopLive();
  live.link = "connecting";
  live.heard_at = Date.now();
  void readSummary();
  open();
  watchdog = setInterval(() => {
    if (live.link === "live" && SILENCE_LIMIT_MS < Date.now() - live.heard_at) lose();
  }, 1000);
}

export function stopLive(): void {
  source?.close();
  source = null;
  clearTimeout(retry);
  clearInterval(watchdog);
  live.summary = null;
}

function open(): void {
  const opened = new EventSource("/api/v1/stream");
  source = opened;
  opened.onopen = () => {
    if (0 < live.epoch) void readSummary();
    heard();
  };
  opened.onerror = lose;
  opened.addEventListener("ping", heard);
  opened.addEventListener("summary", (event) => {
    heard();
    live.summary = JSON.parse(event.data) as Summary;
  });
  opened.addEventListener("dispatch", (event) => {
    heard();
    const row = JSON.parse(event.data) as DispatchRow;
    for (const listener of listeners) listener(row);
  });
}

function heard(): void {
  live.heard_at = Date.now();
  if (live.link === "live") return;
  live.link = "live";
  live.epoch += 1;
}

/** The browser's own reconnection gives up on an error status, so ours takes its place. */
function lose(): void {
  source?.close();
  live.link = "lost";
  clearTimeout(retry);
  retry = setTimeout(reopen, RETRY_MS);
}

/** An expired session looks like a lost stream, so one plain call first tells the two apart. */
async function reopen(): Promise<void> {
  const known = source;
  await get("/api/v1/session", {}).catch(() => undefined);
  if (source === known && source !== null) open();
}

async function readSummary(): Promise<void> {
  try {
    const summary = await get("/api/v1/summary", {});
    if (source !== null) live.summary = summary;
  } catch {
    // A summary that cannot be read leaves the stream to decide whether the link is lost.
  }
}
