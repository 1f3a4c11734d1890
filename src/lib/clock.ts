/**
 * Time as a parameter. Lifetimes are wall-clock integers in milliseconds (they are stored and must
 * survive a restart); time-outs and waits inside the process use the monotonic reading, which no
 * clock change can move.
 */
export interface Clock {
  /** Wall clock, milliseconds since 1970-01-01T00:00:00Z. */
  now(): number;
  /** Monotonic milliseconds from an arbitrary start. */
  monotonic(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};
