/** A reading older than this is drawn as stale, whatever quality its sender gave it. */
export const STALE_AFTER_S = 300;
