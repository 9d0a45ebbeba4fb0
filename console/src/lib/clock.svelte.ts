/** Ages are told by the server's clock; below this difference the browser's own is as good. */
const SKEW_IGNORED_MS = 2000;

let offset_ms = 0;

/** `now` follows the server, `local` the browser; both move once a second. */
export const clock = $state({ now: Date.now(), local: Date.now() });

setInterval(() => {
  clock.local = Date.now();
  clock.now = clock.local + offset_ms;
}, 1000);

/** Takes the `Date` header of an answer, which has a resolution of one second. */
export function setServerTime(date: string | null): void {
  if (date === null) return;
  const difference = Date.parse(date) + 500 - Date.now();
  if (Number.isNaN(difference)) return;
  offset_ms = Math.abs(difference) < SKEW_IGNORED_MS ? 0 : difference;
}

export const ageSeconds = (at: string, now: number): number => Math.max(0, (now - Date.parse(at)) / 1000);
