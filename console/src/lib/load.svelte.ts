import { untrack } from "svelte";
import { reason } from "./client";

/** One thing read from the server: keeps the last good answer while a newer one is on its way or fails. */
export class Loaded<T> {
  value: T | null = $state.raw(null);
  problem = $state("");

  #read: () => Promise<T>;
  #generation = 0;

  constructor(read: () => Promise<T>) {
    this.#read = read;
  }

  reload = async (): Promise<void> => {
    const generation = ++this.#generation;
    try {
      const value = await this.#read();
      if (generation !== this.#generation) return;
      this.value = value;
      this.problem = "";
    } catch (error) {
      if (generation === this.#generation) this.problem = reason(error);
    }
  };
}

/**
 * Runs `action` at once, then at most once in each interval, with a last run for what came in between.
 * An effect that calls `run` does not come to depend on what the callbacks read.
 */
export function throttled(action: () => void, interval_ms: () => number): { run: () => void; stop: () => void } {
  let last = -Infinity;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const fire = (): void => {
    timer = undefined;
    last = performance.now();
    untrack(action);
  };
  return {
    run: () => {
      if (timer !== undefined) return;
      const wait = last + untrack(interval_ms) - performance.now();
      if (wait <= 0) fire();
      else timer = setTimeout(fire, wait);
    },
    stop: () => clearTimeout(timer),
  };
}
