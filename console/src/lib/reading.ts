import type { components } from "./api";

/** A reading with when it was taken and how far it can be trusted; null when never reported. */
export interface Value {
  value: number;
  at: string;
  quality: components["schemas"]["ValueQuality"];
}

/** The OpenAPI document leaves the shape of a reading open; this fills it in wherever it occurs. */
export type Filled<T> = unknown extends T
  ? Value | null
  : T extends (infer Item)[]
    ? Filled<Item>[]
    : T extends object
      ? { [Key in keyof T]: Filled<T[Key]> }
      : T;
